//===- Emitter.h - loops and scalar formulas ------------------*- C++ -*-===//
//
// Private to lowering/DsToReference. A reference is worth what a reader can
// check: so that each op reads like the formula of its documentation, scalars
// are a class with operators, and loops take C++ lambdas.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_DSTOREFERENCE_EMITTER_H
#define LOWERING_DSTOREFERENCE_EMITTER_H

#include "lowering/DsToReference/Passes.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::ds::reference {

class Emitter;

/// A scalar of the program that is written: f64, an integer and whether it is
/// unsigned, i1, or an index (signed). Operators emit the operation of its
/// type.
struct Num {
  Emitter *at = nullptr;
  Value value;
  bool isUnsigned = false;

  operator Value() const { return value; }
  bool isReal() const { return isa<FloatType>(value.getType()); }
  /// A number of the same type.
  Num like(double x) const;
};

// Integers: modulo 2^n; `/` truncates, `%` has the dividend's sign, both give 0
// for a divisor of 0.
Num operator+(Num a, Num b);
Num operator-(Num a, Num b);
Num operator*(Num a, Num b);
Num operator/(Num a, Num b);
Num operator%(Num a, Num b);
Num operator-(Num a);
// Comparisons are false where an operand is NaN, but != which is true.
Num operator<(Num a, Num b);
Num operator==(Num a, Num b);
Num operator!=(Num a, Num b);
inline Num operator>(Num a, Num b) { return b < a; }
Num operator<=(Num a, Num b);
inline Num operator>=(Num a, Num b) { return b <= a; }
// Bit by bit, so logical on i1.
Num operator&(Num a, Num b);
Num operator|(Num a, Num b);
Num operator^(Num a, Num b);
Num operator~(Num a);

template <typename T>
concept Literal = std::is_arithmetic_v<T>;
template <Literal T> Num operator+(Num a, T b) { return a + a.like(b); }
template <Literal T> Num operator-(Num a, T b) { return a - a.like(b); }
template <Literal T> Num operator*(Num a, T b) { return a * a.like(b); }
template <Literal T> Num operator/(Num a, T b) { return a / a.like(b); }
template <Literal T> Num operator%(Num a, T b) { return a % a.like(b); }
template <Literal T> Num operator<(Num a, T b) { return a < a.like(b); }
template <Literal T> Num operator>(Num a, T b) { return a > a.like(b); }
template <Literal T> Num operator>=(Num a, T b) { return a >= a.like(b); }
template <Literal T> Num operator==(Num a, T b) { return a == a.like(b); }
template <Literal T> Num operator!=(Num a, T b) { return a != a.like(b); }

Num select(Num condition, Num yes, Num no);
/// The larger, the smaller; NaN if one is NaN.
Num maximum(Num a, Num b);
Num minimum(Num a, Num b);
Num exp(Num x);
Num log(Num x);
Num sqrt(Num x);
/// Another type by the rules of ds.cast. `to` is signless; f64 for floats.
Num convert(Num x, Type to, bool toUnsigned);

// Float8.cpp: e4m3fn and e5m2.
bool isFloat8(Type type);
Num fromFloat8(Num x);
/// The nearest number that the type has, as f64; what is too large becomes the
/// largest, or with `saturate` off infinity, or NaN where there is none.
Num roundToFloat8(Num x, Type to, bool saturate);
/// The same, saturating, as the type itself.
Value toFloat8(Num x, Type to);

using Nums = SmallVector<Num>;

/// What is known of tensors that this pass made.
struct Known {
  /// The tensor in memory behind a widened one.
  DenseMap<Value, Value> stored;
  /// The tensor that a loop started from: results of loops keep its sizes.
  DenseMap<Value, Value> origin;
};

/// Writes code at the builder's place. Loop bodies are C++ functions that are
/// called once, with the place inside the loop.
class Emitter {
public:
  Emitter(OpBuilder &b, Location loc, Known &known)
      : b(b), loc(loc), known(known) {}

  OpBuilder &b;
  Location loc;

  Num index(int64_t value);
  Num real(double value);
  Num boolean(bool value);
  Num number(Type type, double value, bool isUnsigned = false);
  /// An integer (of a tensor of sizes, positions …) as an index.
  Num toIndex(Num x);
  Num toReal(Num x);

  Num size(Value tensor, int64_t d);
  Nums sizes(Value tensor);
  /// The sizes of a `type` whose dynamic ones are `dims` in order.
  Nums sizes(RankedTensorType type, ValueRange dims);
  /// An element: f64 where the tensor holds floats.
  Num read(Value tensor, ArrayRef<Num> at, bool isUnsigned = false);
  Value write(Num x, Value tensor, ArrayRef<Num> at);
  Value empty(RankedTensorType type, ArrayRef<Num> sizes);

  using Carried = SmallVector<Value>;
  using LoopBody = llvm::function_ref<Carried(Num i, ValueRange carried)>;
  /// for i in [from, to): carried = body(i, carried).
  Carried loop(Num from, Num to, ValueRange carried, LoopBody body);
  using NestBody = llvm::function_ref<Carried(Nums at, ValueRange carried)>;
  /// The same over all indices of a tensor of these sizes, in row-major order.
  Carried nest(ArrayRef<Num> sizes, ValueRange carried, NestBody body);

  /// A tensor whose element at each index is body(index).
  using ElementBody = llvm::function_ref<Num(Nums at)>;
  Value generate(RankedTensorType type, ArrayRef<Num> sizes, ElementBody body);
  /// acc = body(index, acc) over all indices.
  using FoldBody = llvm::function_ref<Num(Nums at, Num acc)>;
  Num fold(ArrayRef<Num> sizes, Num init, FoldBody body);
  /// Σ body(i) for i in [0, count), in f64.
  using TermBody = llvm::function_ref<Num(Num i)>;
  Num sum(Num count, TermBody body);

  /// A branch: what is not chosen is not executed.
  Value either(Num condition, Type type, llvm::function_ref<Value()> yes,
               llvm::function_ref<Value()> no);
  /// The element where `condition` holds; elsewhere nothing is read.
  Num readIf(Num condition, Value tensor, ArrayRef<Num> at, Num otherwise);

  /// An index of the model: negative counts from the end. `isInside` says
  /// whether it is one of the tensor; where it is not, that is reported.
  struct Checked {
    Num value, isInside;
  };
  Checked checked(Num raw, Num size);

private:
  Known &known;
};

/// What a pattern of this folder is: an op, its converted operands and the
/// converted type of its (first) result in; values for its results out.
template <typename Op>
using Rule = SmallVector<Value> (*)(Emitter &, Op, typename Op::Adaptor,
                                    RankedTensorType);

template <typename Op> struct Lower : OpConversionPattern<Op> {
  Lower(TypeConverter &types, MLIRContext *context, Rule<Op> rule, Known &known)
      : OpConversionPattern<Op>(types, context), rule(rule), known(known) {}
  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op->getResult(0).getType());
    Emitter emitter(rewriter, op.getLoc(), known);
    rewriter.replaceOp(op, rule(emitter, op, adaptor, type));
    return success();
  }
  Rule<Op> rule;
  Known &known;
};

/// Collects the rules of one file.
struct Rules {
  RewritePatternSet &patterns;
  TypeConverter &types;
  Known &known;
  template <typename Op> void add(Rule<Op> rule) {
    patterns.add<Lower<Op>>(types, patterns.getContext(), rule, known);
  }
};
void addAttention(Rules &rules);
void addElementwise(Rules &rules);
void addExperts(Rules &rules);
void addIndexing(Rules &rules);
void addModel(Rules &rules);
void addPacked(Rules &rules);
void addReductions(Rules &rules);
void addViews(Rules &rules);

inline RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}
/// Whether an operand of a ds op, before conversion, holds unsigned numbers.
inline bool isUnsigned(Value value) {
  Type element = tensorType(value).getElementType();
  return element.isUnsignedInteger() || element.isInteger(1);
}
inline Type elementOf(Value value) {
  return tensorType(value).getElementType();
}
/// Indices with one more in front of position `axis`, or one replaced.
Nums inserted(ArrayRef<Num> at, int64_t axis, Num i);
Nums replaced(ArrayRef<Num> at, int64_t axis, Num i);
Nums joined(ArrayRef<Num> a, ArrayRef<Num> b);
Nums without(ArrayRef<Num> at, ArrayRef<int64_t> axes);

// Elementwise.cpp, used where other ops say "as ds.elementwise".
Num elementwise(Emitter &e, ElementwiseKind kind, ArrayRef<Num> args);
/// The expert of each of `rows` grouped rows, i32; 0 where no tile holds it.
/// Experts.cpp.
Value expertsOfRows(Emitter &e, Num rows, Value tiles, Value count);
// Model.cpp, used where a product says "as ds.swiglu".
Num swiglu(Emitter &e, Num gate, Num up);
/// Indices into an operand that broadcasts statically to a result read at `at`.
Nums broadcastIndex(Emitter &e, RankedTensorType operand, ArrayRef<Num> at);

} // namespace mlir::ds::reference

#endif // LOWERING_DSTOREFERENCE_EMITTER_H
