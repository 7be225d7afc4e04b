//===- DsToReference.cpp - ds ops become scalar loops in f64 --------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsElements.h"
#include "lowering/DsToReference/Emitter.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "passes/StepFunction.h"

namespace mlir::ds {
#define GEN_PASS_DEF_DSTOREFERENCE
#include "lowering/DsToReference/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;
using namespace mlir::ds::reference;

/// The type as memory holds it.
static RankedTensorType asStored(RankedTensorType type) {
  return type.clone(signless(type.getElementType()));
}

/// f64 → a type that a caller reads, to the nearest, ties to even.
static Value rounded(Emitter &e, Value x, FloatType to) {
  if (to.isF64())
    return x;
  if (isFloat8(to))
    return toFloat8({&e, x}, to);
  Type f32 = e.b.getF32Type(), i32 = e.b.getI32Type();
  Value single = arith::TruncFOp::create(e.b, e.loc, f32, x);
  if (to.isF32())
    return single;
  // On the way to 16 bits f32 must not round to even too: where it is not
  // exact it is cut off and its last bit set, which no tie survives.
  Num exact{&e, x}, back = e.toReal(Num{&e, single});
  Num bits{&e, arith::BitcastOp::create(e.b, e.loc, i32, single)};
  Num magnitude{&e, math::AbsFOp::create(e.b, e.loc, exact.value)},
      backMagnitude{&e, math::AbsFOp::create(e.b, e.loc, back.value)};
  Num cut = select(backMagnitude > magnitude, bits - 1, bits) | bits.like(1);
  Num isInexact = (back < exact) | (back > exact);
  Value odd = arith::BitcastOp::create(e.b, e.loc, f32,
                                       select(isInexact, cut, bits).value);
  return arith::TruncFOp::create(e.b, e.loc, to, odd);
}

namespace {

/// Constants take their converted type.
struct RetypeConstant : OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(arith::ConstantOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
    if (!dense)
      return failure();
    if (auto floats = dyn_cast<DenseFPElementsAttr>(dense)) {
      dense = floats.mapValues(rewriter.getF64Type(), [](const APFloat &x) {
        APFloat wide = x;
        bool losesInfo;
        wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                     &losesInfo);
        return wide.bitcastToAPInt();
      });
    } else {
      dense = dense.bitcast(signless(dense.getElementType()));
    }
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, dense);
    return success();
  }
};

/// Ops that only pass tensors on.
struct RetypeGeneric : ConversionPattern {
  RetypeGeneric(TypeConverter &types, MLIRContext *context)
      : ConversionPattern(types, MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Type> results;
    if (!isa<tensor::TensorDialect>(op->getDialect()) ||
        op->getNumRegions() != 0 ||
        failed(getTypeConverter()->convertTypes(op->getResultTypes(), results)))
      return failure();
    rewriter.replaceOp(op,
                       rewriter
                           .create(op->getLoc(), op->getName().getIdentifier(),
                                   operands, results, op->getAttrs())
                           ->getResults());
    return success();
  }
};

/// Parameters stay as they are in memory. The widened tensor is written out for
/// whoever wants it whole; rules read the one in memory through `stored`, so
/// that it is most often removed as dead.
struct LowerLoadParameter : OpConversionPattern<LoadParameterOp> {
  LowerLoadParameter(TypeConverter &types, MLIRContext *context, Known &known)
      : OpConversionPattern(types, context), known(known) {}
  LogicalResult
  matchAndRewrite(LoadParameterOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto inMemory = asStored(cast<RankedTensorType>(op.getType()));
    Value memory = LoadParameterOp::create(rewriter, op.getLoc(), inMemory,
                                           op.getParameterAttr());
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (type == inMemory) {
      rewriter.replaceOp(op, memory);
      return success();
    }
    Emitter e(rewriter, op.getLoc(), known);
    Value widened = e.generate(type, e.sizes(memory),
                               [&](Nums at) { return e.read(memory, at); });
    known.stored[widened] = memory;
    rewriter.replaceOp(op, widened);
    return success();
  }
  Known &known;
};

struct DsToReference : ds::impl::DsToReferenceBase<DsToReference> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    if (failed(checkTypes(module)))
      return signalPassFailure();
    recordUnsigned(module);
    if (!module.lookupSymbol("ds_report_index")) {
      OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
      func::FuncOp::create(builder, module.getLoc(), "ds_report_index",
                           builder.getFunctionType({}, {}))
          .setPrivate();
    }
    // Types that callers of entries see.
    struct Entry {
      func::FuncOp function;
      FunctionType type;
    };
    SmallVector<Entry> entries;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr("ds.entry"))
        entries.push_back({function, function.getFunctionType()});

    TypeConverter types;
    types.addConversion([](Type type) { return type; });
    types.addConversion([](FloatType type) -> Type {
      return Float64Type::get(type.getContext());
    });
    types.addConversion([&types](RankedTensorType type) -> Type {
      return RankedTensorType::get(
          type.getShape(), types.convertType(signless(type.getElementType())));
    });
    Known known;
    RewritePatternSet patterns(context);
    Rules rules{patterns, types, known};
    addAttention(rules);
    addElementwise(rules);
    addExperts(rules);
    addIndexing(rules);
    addModel(rules);
    addPacked(rules);
    addReductions(rules);
    addViews(rules);
    patterns.add<LowerLoadParameter>(types, context, known);
    patterns.add<RetypeConstant, RetypeGeneric>(types, context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   types);
    populateReturnOpTypeConversionPattern(patterns, types);
    populateCallOpTypeConversionPattern(patterns, types);

    // What the rules write is legal, with the types that it has; only ops that
    // were there before are converted.
    DenseSet<Operation *> before;
    module.walk([&](Operation *op) { before.insert(op); });
    ConversionTarget target(*context);
    scf::populateSCFStructuralTypeConversionsAndLegality(types, patterns,
                                                         target);
    target.markUnknownOpDynamicallyLegal([&](Operation *op) {
      if (!before.contains(op) || isa<ModuleOp, ParameterOp>(op))
        return true;
      if (auto function = dyn_cast<func::FuncOp>(op))
        return types.isSignatureLegal(function.getFunctionType()) &&
               types.isLegal(&function.getBody());
      return !isa<DsDialect>(op->getDialect()) && types.isLegal(op);
    });
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      return signalPassFailure();
    for (Entry &entry : entries)
      restoreTypes(entry.function, entry.type, known);
  }

private:
  /// Refuses floats that no rule can read.
  static LogicalResult checkTypes(ModuleOp module) {
    auto check = [](Operation *op, Type type) -> WalkResult {
      auto tensor = dyn_cast<RankedTensorType>(type);
      auto element =
          tensor ? dyn_cast<FloatType>(tensor.getElementType()) : nullptr;
      if (!element || isFloat8(element) ||
          isa<Float64Type, Float32Type, Float16Type, BFloat16Type>(element))
        return WalkResult::advance();
      return op->emitError()
             << "the reference does not know the element type " << element;
    };
    WalkResult result = module.walk([&](Operation *op) {
      if (auto parameter = dyn_cast<ParameterOp>(op))
        return check(op, parameter.getType());
      for (Type type : op->getResultTypes())
        if (WalkResult found = check(op, type); found.wasInterrupted())
          return found;
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  /// A cache of a step: it belongs to the runtime, which makes it of the type
  /// that the descriptor says.
  static bool isCache(func::FuncOp function, StringAttr name) {
    return isStepFunction(function) && name &&
           name.strref().starts_with("cache.");
  }

  /// Widens the arguments of an entry and rounds its results, so that it keeps
  /// the `type` that it had, all but caches.
  static void restoreTypes(func::FuncOp function, FunctionType type,
                           Known &known) {
    Block &body = function.getBody().front();
    OpBuilder builder(&body, body.begin());
    Emitter begin(builder, function.getLoc(), known);
    SmallVector<Type> arguments, results;
    for (auto [argument, original] :
         llvm::zip_equal(body.getArguments(), type.getInputs())) {
      RankedTensorType inside = tensorType(argument);
      bool keeps = isCache(function, function.getArgAttrOfType<StringAttr>(
                                         argument.getArgNumber(), "ds.name"));
      arguments.push_back(keeps ? inside
                                : asStored(cast<RankedTensorType>(original)));
      if (inside == arguments.back())
        continue;
      // The uses that are there now, not those of the loops below.
      SmallVector<OpOperand *> uses(
          llvm::make_pointer_range(argument.getUses()));
      argument.setType(arguments.back());
      Value widened =
          begin.generate(inside, begin.sizes(argument),
                         [&](Nums at) { return begin.read(argument, at); });
      for (OpOperand *use : uses)
        use->set(widened);
    }
    Operation *end = body.getTerminator();
    builder.setInsertionPoint(end);
    Emitter atEnd(builder, function.getLoc(), known);
    for (auto [result, original] :
         llvm::zip_equal(end->getOpOperands(), type.getResults())) {
      Value inside = result.get();
      bool keeps = isCache(function, function.getResultAttrOfType<StringAttr>(
                                         result.getOperandNumber(), "ds.name"));
      RankedTensorType outside =
          keeps ? tensorType(inside)
                : asStored(cast<RankedTensorType>(original));
      results.push_back(outside);
      if (inside.getType() == outside)
        continue;
      result.set(atEnd.generate(outside, atEnd.sizes(inside), [&](Nums at) {
        return Num{&atEnd, rounded(atEnd, atEnd.read(inside, at),
                                   cast<FloatType>(outside.getElementType()))};
      }));
    }
    function.setFunctionType(builder.getFunctionType(arguments, results));
  }
};

} // namespace
