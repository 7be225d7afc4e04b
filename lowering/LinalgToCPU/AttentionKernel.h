//===- AttentionKernel.h - attention of some rows, in vectors -------------===//
//
// Private to lowering/LinalgToCPU. One kernel for dense and cached attention,
// prefill and decode: a row's bits are then the same in all of them.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ATTENTIONKERNEL_H
#define LOWERING_LINALGTOCPU_ATTENTIONKERNEL_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include <functional>

namespace mlir::ds {

/// What is known when the code is made.
struct AttentionShape {
  /// f32 lanes of a vector register.
  int64_t lanes;
  /// Query heads of one key and value head.
  int64_t group;
  /// Elements of a query and key, of a value.
  int64_t width, valueWidth;
  double scale;
  /// Whether a token sees one key more than the token before it.
  bool causal;
  /// Whether products are those of pairs of bf16 (vdpbf16ps): queries, keys and
  /// values are bf16, there is no mask, keys have even widths, and what the
  /// width of values leaves of whole vectors is nothing, 4 or 8.
  bool pairs = false;

  /// A row's keys are walked in chunks of so many; what the chunks gave is
  /// merged in order. So they may be computed apart.
  static constexpr int64_t chunkKeys = 256;

  /// f32 elements of what a chunk gave for a row: maximum and sum, a vector
  /// each, and weighted values.
  int64_t partialWidth() const { return 2 * lanes + valueWidth; }

  /// Largest number of tokens of a call: enough rows that laying keys out anew
  /// costs little, few enough that keys, values and rows stay in the
  /// first-level cache.
  int64_t maxTokens() const { return std::max<int64_t>(1, 32 / group); }
};

/// The rows of a call: tokens [first, first + count) of `queries`, [tokens,
/// group, width]; those before first + resultCount of `result`, [tokens, group,
/// valueWidth], are written, unless it is null.
struct AttentionRows {
  Value queries, result;
  /// A key is a row of each of these side by side: [length, ..], their widths
  /// add up to `width`.
  SmallVector<Value, 2> keys;
  /// [length, valueWidth].
  Value values;
  Value first, count, resultCount;
  /// Token `first` sees keys [0, visible), as far as the keys go; the numbers
  /// may be negative.
  Value visible;
  /// Which chunks to walk.
  Value firstChunk, endChunk;
  /// Null, or where tokens [first, first + partialCount) leave what the chunks
  /// gave: [tokens, group, partialWidth].
  Value partials, partialCount;
  /// Whether tokens [first, first + partialCount) have there what keys before
  /// these gave.
  bool resumes = false;
  /// What is added to the score of token, head of the group and key, or null.
  std::function<Value(OpBuilder &, Location, Value token, Value head,
                      Value key)>
      mask;
};

/// Emits softmax(scale · q·kᵀ + mask) · v; returns `result` and `partials` with
/// the rows, null where they are null.
std::pair<Value, Value> emitAttention(ImplicitLocOpBuilder &b,
                                      const AttentionShape &shape,
                                      const AttentionRows &rows);

/// Partial results of `count` tokens without keys: writes `partials`, [tokens,
/// group, partialWidth].
Value emitNothing(ImplicitLocOpBuilder &b, const AttentionShape &shape,
                  Value count, Value partials);

/// Merges chunks [0, chunks) of `partials`, [chunks, partialWidth], into a row:
/// writes `result`, [valueWidth], and returns it.
Value emitMerge(ImplicitLocOpBuilder &b, const AttentionShape &shape,
                Value partials, Value chunks, Value result);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ATTENTIONKERNEL_H
