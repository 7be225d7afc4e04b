//===- DsToLinalg.cpp - ds ops become linalg on tensors -------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToLinalg/Helpers.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

namespace mlir::ds {
#define GEN_PASS_DEF_DSTOLINALG
#include "lowering/DsToLinalg/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {

/// Constants and tensor ops of unsigned types, made signless.
struct RetypeConstant : OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(arith::ConstantOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
    if (!dense)
      return failure();
    Type element = signless(dense.getElementType());
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, dense.bitcast(element));
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
    if (!isa<tensor::TensorDialect>(op->getDialect()) &&
        !isa<LoadParameterOp>(op))
      return failure();
    if (op->getNumRegions() != 0)
      return failure();
    SmallVector<Type> results;
    if (failed(getTypeConverter()->convertTypes(op->getResultTypes(), results)))
      return failure();
    Operation *retyped =
        rewriter.create(op->getLoc(), op->getName().getIdentifier(), operands,
                        results, op->getAttrs());
    rewriter.replaceOp(op, retyped->getResults());
    return success();
  }
};

struct DsToLinalg : ds::impl::DsToLinalgBase<DsToLinalg> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    recordUnsigned(module);
    if (!module.lookupSymbol(reportIndexFunction)) {
      OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
      auto report =
          func::FuncOp::create(builder, module.getLoc(), reportIndexFunction,
                               builder.getFunctionType({}, {}));
      report.setPrivate();
    }

    TypeConverter types;
    types.addConversion([](Type type) { return type; });
    types.addConversion([](RankedTensorType type) -> Type {
      return RankedTensorType::get(type.getShape(),
                                   signless(type.getElementType()));
    });
    RewritePatternSet patterns(context);
    populateAttention(patterns, types);
    populateElementwise(patterns, types);
    populateExperts(patterns, types);
    populateIndexing(patterns, types);
    populateModel(patterns, types);
    populatePack(patterns, types);
    populateReductions(patterns, types);
    populateViews(patterns, types);
    patterns.add<RetypeConstant, RetypeGeneric>(types, context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   types);
    populateReturnOpTypeConversionPattern(patterns, types);
    populateCallOpTypeConversionPattern(patterns, types);

    ConversionTarget target(*context);
    target.addLegalDialect<
        affine::AffineDialect, bufferization::BufferizationDialect,
        linalg::LinalgDialect, math::MathDialect, memref::MemRefDialect,
        scf::SCFDialect, vector::VectorDialect, x86vector::X86VectorDialect>();
    target.addLegalOp<ModuleOp, ParameterOp>();
    target.addIllegalDialect<DsDialect>();
    // Vector operations, made by kernels.
    target.addLegalOp<DotBytesOp, LookupBytesOp>();
    // Control flow of the model carries unsigned tensors too.
    scf::populateSCFStructuralTypeConversionsAndLegality(types, patterns,
                                                         target);
    auto isSignless = [&](Operation *op) { return types.isLegal(op); };
    target
        .addDynamicallyLegalDialect<arith::ArithDialect, tensor::TensorDialect>(
            isSignless);
    target.addLegalOp<ParameterOp>();
    target.addDynamicallyLegalOp<LoadParameterOp, func::ReturnOp, func::CallOp>(
        isSignless);
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return types.isSignatureLegal(op.getFunctionType()) &&
             types.isLegal(&op.getBody());
    });
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
