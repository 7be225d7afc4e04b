//===- Attention.cpp - attention and caches -------------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

/// Attention of every row of queries over keys [0, length), in three steps, the
/// first two of which leave whole tensors: scores; largest score and sum of
/// powers of each row; the mixture of values.
struct Attention {
  Emitter &e;
  RankedTensorType type;
  /// Dimensions of a row of queries, its head included; keys.
  Nums rows;
  Num length;
  /// Whether `row` may see key t.
  std::function<Num(ArrayRef<Num> row, Num t)> isVisible;
  /// Score of a visible key.
  std::function<Num(ArrayRef<Num> row, Num t)> score;
  /// Element d of value t, and how many there are.
  std::function<Num(ArrayRef<Num> row, Num t, Num d)> value;
  Num valueWidth;

  Value emit() {
    Type f64 = e.b.getF64Type();
    double infinity = std::numeric_limits<double>::infinity();
    auto dynamic = [&](size_t rank) {
      return RankedTensorType::get(
          SmallVector<int64_t>(rank, ShapedType::kDynamic), f64);
    };
    Value scores = e.generate(
        dynamic(rows.size() + 1), joined(rows, {length}), [&](Nums at) {
          ArrayRef<Num> row = ArrayRef<Num>(at).drop_back();
          Num t = at.back();
          return Num{&e, e.either(
                             isVisible(row, t), f64,
                             [&]() -> Value { return score(row, t); },
                             [&]() -> Value { return e.real(-infinity); })};
        });
    Value tops = e.generate(dynamic(rows.size()), rows, [&](Nums row) {
      return e.fold({length}, e.real(-infinity), [&](Nums t, Num top) {
        return maximum(top, e.read(scores, joined(row, t)));
      });
    });
    /// exp(score − largest); 0 where nothing is visible.
    auto power = [&](ArrayRef<Num> row, Num t) {
      Num score = e.read(scores, joined(row, {t})), top = e.read(tops, row);
      return select(score == -infinity, e.real(0), exp(score - top));
    };
    Value sums = e.generate(dynamic(rows.size()), rows, [&](Nums row) {
      return e.sum(length, [&](Num t) { return power(row, t); });
    });
    return e.generate(type, joined(rows, {valueWidth}), [&](Nums at) {
      ArrayRef<Num> row = ArrayRef<Num>(at).drop_back();
      Num mixed = e.sum(length, [&](Num t) {
        // What has no weight may be NaN.
        Num weight = power(row, t);
        return Num{
            &e,
            e.either(
                weight == 0, f64, [&]() -> Value { return e.real(0); },
                [&]() -> Value { return weight * value(row, t, at.back()); })};
      });
      Num sum = e.read(sums, row);
      return select(sum == 0, e.real(0), mixed / sum);
    });
  }
};

/// The key head of query head h.
static Num keyHead(Emitter &e, Num h, Value query, Value key,
                   int64_t queryHeads) {
  return h / (e.size(query, queryHeads) / e.size(key, 1));
}

static SmallVector<Value> lower(Emitter &e, AttentionOp op,
                                AttentionOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value query = adaptor.getQuery(), key = adaptor.getKey(),
        value = adaptor.getValue(), mask = adaptor.getMask();
  Nums from = e.sizes(query);
  Num keys = e.size(key, 2);
  double scale = op.getScale().convertToDouble();
  bool isBoolMask = mask && elementOf(mask).isInteger(1);
  auto maskAt = [&](ArrayRef<Num> row, Num t) {
    // [B, H, S, T]; missing leading dimensions and sizes of 1 repeat.
    Nums all{row[0], row[2], row[1], t}, where;
    int64_t missing = 4 - tensorType(mask).getRank();
    for (auto [d, size] : llvm::enumerate(e.sizes(mask)))
      where.push_back(select(size == 1, e.index(0), all[d + missing]));
    return e.read(mask, where);
  };
  Attention attention{e,
                      type,
                      Nums(ArrayRef<Num>(from).drop_back()),
                      keys,
                      {},
                      {},
                      {},
                      e.size(value, 3)};
  attention.isVisible = [&](ArrayRef<Num> row, Num t) {
    Num visible = e.boolean(true);
    if (op.getCausal())
      visible = t <= row[1] + keys - from[1];
    return isBoolMask ? visible & maskAt(row, t) : visible;
  };
  attention.score = [&](ArrayRef<Num> row, Num t) {
    Num head = keyHead(e, row[2], query, key, 2);
    Num score = e.sum(from[3], [&](Num d) {
      return e.read(query, joined(row, {d})) *
             e.read(key, {row[0], head, t, d});
    }) * scale;
    return mask && !isBoolMask ? score + maskAt(row, t) : score;
  };
  attention.value = [&](ArrayRef<Num> row, Num t, Num d) {
    return e.read(value, {row[0], keyHead(e, row[2], query, key, 2), t, d});
  };
  return {attention.emit()};
}

// ----- flattened tokens -----------------------------------------------------

/// What cached ops know of the sequences that are laid end to end.
struct Sequences {
  Emitter &e;
  Value rowStart, pastLength, cacheSlot;

  Num entry(Value vector, Num i) { return e.toIndex(e.read(vector, {i})); }
  Num count() { return e.size(pastLength, 0); }
  /// The sequence of a token: the last that starts at or before it, leaving out
  /// sequences without tokens.
  Num of(Num token) {
    return e.fold({count()}, e.index(0), [&](Nums b, Num found) {
      Num isIts = (entry(rowStart, b[0]) <= token) &
                  (token < entry(rowStart, b[0] + 1));
      return select(isIts, b[0], found);
    });
  }
  /// past_length[b] + i of token row_start[b] + i.
  Num position(Num token, Num sequence) {
    return entry(pastLength, sequence) + token - entry(rowStart, sequence);
  }
};

static SmallVector<Value> lower(Emitter &e, TokenPositionsOp op,
                                TokenPositionsOp::Adaptor adaptor,
                                RankedTensorType type) {
  Sequences sequences{e, adaptor.getRowStart(), adaptor.getPastLength(), {}};
  return {e.generate(type, {Num{&e, adaptor.getTokens()}}, [&](Nums token) {
    Num position = sequences.position(token[0], sequences.of(token[0]));
    return Num{&e, arith::IndexCastOp::create(e.b, e.loc, type.getElementType(),
                                              position.value)};
  })};
}

static SmallVector<Value> lower(Emitter &e, CacheAppendOp op,
                                CacheAppendOp::Adaptor adaptor,
                                RankedTensorType type) {
  Sequences sequences{e, adaptor.getRowStart(), adaptor.getPastLength(),
                      adaptor.getCacheSlot()};
  Value rows = adaptor.getRows();
  return e.nest(e.sizes(rows), adaptor.getCache(),
                [&](Nums at, ValueRange carried) -> Emitter::Carried {
                  Num token = at[0], sequence = sequences.of(token);
                  Num slot = sequences.entry(adaptor.getCacheSlot(), sequence);
                  Num position = sequences.position(token, sequence);
                  return {e.write(e.read(rows, at), carried[0],
                                  {slot, at[1], position, at[2]})};
                });
}

static SmallVector<Value> lower(Emitter &e, CachedAttentionOp op,
                                CachedAttentionOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value query = adaptor.getQuery(), key = adaptor.getKey(),
        value = adaptor.getValue();
  Sequences sequences{e, adaptor.getRowStart(), adaptor.getPastLength(),
                      adaptor.getCacheSlot()};
  Nums from = e.sizes(query);
  auto slotOf = [&](Num token) {
    return sequences.entry(adaptor.getCacheSlot(), sequences.of(token));
  };
  double scale = op.getScale().convertToDouble();
  Attention attention{e,  type, {from[0], from[1]}, e.size(key, 2), {},
                      {}, {},   e.size(value, 3)};
  attention.isVisible = [&](ArrayRef<Num> row, Num t) {
    return t <= sequences.position(row[0], sequences.of(row[0]));
  };
  attention.score = [&](ArrayRef<Num> row, Num t) {
    Num slot = slotOf(row[0]), head = keyHead(e, row[1], query, key, 1);
    return e.sum(from[2], [&](Num d) {
      return e.read(query, joined(row, {d})) * e.read(key, {slot, head, t, d});
    }) * scale;
  };
  attention.value = [&](ArrayRef<Num> row, Num t, Num d) {
    return e.read(value,
                  {slotOf(row[0]), keyHead(e, row[1], query, key, 1), t, d});
  };
  return {attention.emit()};
}

// ----- latents --------------------------------------------------------------

/// What both forms of latent attention share: query [N, H, …] over the first
/// rows of a slot, in parts `first`, which is up to the form, and rope.
struct LatentAttention {
  Emitter &e;
  Sequences sequences;
  Value query, latent, rope;
  double scale;

  Num slotOf(Num token) {
    return sequences.entry(sequences.cacheSlot, sequences.of(token));
  }
  /// Latent t of the sequence of `token`.
  Num latentAt(Num token, Num t, Num c) {
    return e.read(latent, {slotOf(token), e.index(0), t, c});
  }

  using ElementOfKey = std::function<Num(ArrayRef<Num> row, Num t, Num d)>;
  Value emit(RankedTensorType type, Num firstWidth, ElementOfKey first,
             Num valueWidth, ElementOfKey value) {
    Nums from = e.sizes(query);
    Attention attention{e,  type, {from[0], from[1]}, e.size(latent, 2), {},
                        {}, {},   valueWidth};
    attention.isVisible = [&](ArrayRef<Num> row, Num t) {
      return t <= sequences.position(row[0], sequences.of(row[0]));
    };
    attention.score = [&](ArrayRef<Num> row, Num t) {
      Num sum = e.sum(firstWidth, [&](Num d) {
        return e.read(query, joined(row, {d})) * first(row, t, d);
      });
      Num rotated = e.sum(e.size(rope, 3), [&](Num d) {
        return e.read(query, joined(row, {firstWidth + d})) *
               e.read(rope, {slotOf(row[0]), e.index(0), t, d});
      });
      return (sum + rotated) * scale;
    };
    attention.value = value;
    return attention.emit();
  }
};

static SmallVector<Value> lower(Emitter &e, MlaOp op, MlaOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value keyWeight = adaptor.getKeyWeight(),
        valueWeight = adaptor.getValueWeight();
  LatentAttention form{e,
                       {e, adaptor.getRowStart(), adaptor.getPastLength(),
                        adaptor.getCacheSlot()},
                       adaptor.getQuery(),
                       adaptor.getLatent(),
                       adaptor.getRope(),
                       op.getScale().convertToDouble()};
  auto expanded = [&](Value weight) {
    return [&form, &e, weight](ArrayRef<Num> row, Num t, Num d) {
      return e.sum(e.size(weight, 2), [&](Num c) {
        return e.read(weight, {row[1], d, c}) * form.latentAt(row[0], t, c);
      });
    };
  };
  return {form.emit(type, e.size(keyWeight, 1), expanded(keyWeight),
                    e.size(valueWeight, 1), expanded(valueWeight))};
}

static SmallVector<Value> lower(Emitter &e, MlaAbsorbedOp op,
                                MlaAbsorbedOp::Adaptor adaptor,
                                RankedTensorType type) {
  LatentAttention form{e,
                       {e, adaptor.getRowStart(), adaptor.getPastLength(),
                        adaptor.getCacheSlot()},
                       adaptor.getQuery(),
                       adaptor.getLatent(),
                       adaptor.getRope(),
                       op.getScale().convertToDouble()};
  auto latent = [&](ArrayRef<Num> row, Num t, Num d) {
    return form.latentAt(row[0], t, d);
  };
  Num width = e.size(adaptor.getLatent(), 3);
  return {form.emit(type, width, latent, width, latent)};
}

void addAttention(Rules &rules) {
  rules.add<AttentionOp>(lower);
  rules.add<TokenPositionsOp>(lower);
  rules.add<CacheAppendOp>(lower);
  rules.add<CachedAttentionOp>(lower);
  rules.add<MlaOp>(lower);
  rules.add<MlaAbsorbedOp>(lower);
}

} // namespace mlir::ds::reference
