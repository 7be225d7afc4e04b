//===- Experts.cpp - routing and routed experts ---------------------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/DsToReference/Emitter.h"

namespace mlir::ds::reference {

/// A tensor that is only read here.
static RankedTensorType scratch(Type element, size_t rank) {
  return RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic),
                               element);
}

/// An index as an element of an i32 tensor.
static Num toI32(Num x) {
  Emitter &e = *x.at;
  return {&e, arith::IndexCastOp::create(e.b, e.loc, e.b.getI32Type(), x)};
}

static Num count(Emitter &e, Num from, Num to,
                 llvm::function_ref<Num(Num i)> holds) {
  return e.fold({to - from}, e.index(0), [&](Nums at, Num found) {
    return select(holds(from + at[0]), found + 1, found);
  });
}

// ----- the choice -----------------------------------------------------------

/// How many of value(first) … value(end − 1) come before value(i), the larger
/// ones first: a NaN before every number, of equals the one with the lower
/// index.
static Num rankOf(Emitter &e, Num i, Num first, Num end,
                  llvm::function_ref<Num(Num i)> value) {
  Num x = value(i);
  return count(e, first, end, [&](Num j) {
    Num y = value(j);
    Num isLarger = (y > x) | ((y != y) & (x == x)),
        isSmaller = (x > y) | ((x != x) & (y == y));
    return isLarger | (~isSmaller & (j < i));
  });
}

/// s of the documentation, [N, E].
static Value scoresOf(Emitter &e, RouteScoring scoring, Value logits) {
  Type f64 = e.b.getF64Type();
  Nums sizes = e.sizes(logits);
  if (scoring == RouteScoring::Sigmoid)
    return e.generate(scratch(f64, 2), sizes, [&](Nums at) {
      return elementwise(e, ElementwiseKind::Sigmoid, {e.read(logits, at)});
    });
  Value tops = e.generate(scratch(f64, 1), sizes[0], [&](Nums n) {
    return e.fold(sizes[1], e.real(-std::numeric_limits<double>::infinity()),
                  [&](Nums at, Num top) {
                    return maximum(top, e.read(logits, {n[0], at[0]}));
                  });
  });
  Value powers = e.generate(scratch(f64, 2), sizes, [&](Nums at) {
    return exp(e.read(logits, at) - e.read(tops, {at[0]}));
  });
  Value sums = e.generate(scratch(f64, 1), sizes[0], [&](Nums n) {
    return e.sum(sizes[1], [&](Num i) { return e.read(powers, {n[0], i}); });
  });
  return e.generate(scratch(f64, 2), sizes, [&](Nums at) {
    return e.read(powers, at) / e.read(sums, {at[0]});
  });
}

static SmallVector<Value>
lower(Emitter &e, RouteOp op, RouteOp::Adaptor adaptor, RankedTensorType type) {
  Value logits = adaptor.getLogits(), bias = adaptor.getBias();
  Type f64 = e.b.getF64Type(), i32 = e.b.getI32Type();
  Nums sizes = e.sizes(logits);
  Num tokens = sizes[0], experts = sizes[1], groups = e.index(op.getGroups()),
      members = experts / groups, k = e.index(op.getTopK());
  Value s = scoresOf(e, op.getScoring(), logits);
  Value t = e.generate(scratch(f64, 2), sizes, [&](Nums at) {
    Num score = e.read(s, at);
    return bias ? score + e.read(bias, {at[1]}) : score;
  });
  int64_t counted = op.getGroupScore() == GroupScore::Max ? 1 : 2;
  Value g = e.generate(scratch(f64, 2), {tokens, groups}, [&](Nums at) {
    Num first = at[1] * members;
    return e.sum(members, [&](Num i) {
      auto value = [&](Num j) { return e.read(t, {at[0], j}); };
      Num rank = rankOf(e, first + i, first, first + members, value);
      return select(rank < counted, value(first + i), e.real(0));
    });
  });
  double fill = op.getFill() == RouteFill::Zero
                    ? 0.0
                    : -std::numeric_limits<double>::infinity();
  Value isKept = e.generate(scratch(i32, 2), {tokens, groups}, [&](Nums at) {
    Num rank = rankOf(e, at[1], e.index(0), groups,
                      [&](Num i) { return e.read(g, {at[0], i}); });
    return toI32(select(rank < op.getKeptGroups(), e.index(1), e.index(0)));
  });
  Value u = e.generate(scratch(f64, 2), sizes, [&](Nums at) {
    Num kept = e.read(isKept, {at[0], at[1] / members}) == 1;
    return select(kept, e.read(t, at), e.real(fill));
  });
  Value isChosen = e.generate(scratch(i32, 2), sizes, [&](Nums at) {
    Num rank = rankOf(e, at[1], e.index(0), experts,
                      [&](Num i) { return e.read(u, {at[0], i}); });
    return toI32(select(rank < k, e.index(1), e.index(0)));
  });
  auto chosen = [&](Num n, Num expert) {
    return e.read(isChosen, {n, expert}) == 1;
  };
  Value slots = e.generate(scratch(i32, 2), sizes, [&](Nums at) {
    return toI32(
        count(e, e.index(0), at[1], [&](Num i) { return chosen(at[0], i); }));
  });
  Value ids =
      e.generate(tensorType(op.getExperts()), {tokens, k}, [&](Nums at) {
        return toI32(e.fold(experts, e.index(0), [&](Nums i, Num found) {
          Num isIts = chosen(at[0], i[0]) &
                      (e.toIndex(e.read(slots, {at[0], i[0]})) == at[1]);
          return select(isIts, i[0], found);
        }));
      });
  auto scoreAt = [&](Num n, Num slot) {
    return e.read(s, {n, e.toIndex(e.read(ids, {n, slot}))});
  };
  double scale = op.getScale().convertToDouble();
  Value weights = e.generate(type, {tokens, k}, [&](Nums at) {
    Num score = scoreAt(at[0], at[1]);
    if (std::optional<APFloat> epsilon = op.getNormalize()) {
      Num sum = e.sum(k, [&](Num slot) { return scoreAt(at[0], slot); });
      score = score / (sum + epsilon->convertToDouble());
    }
    return score * scale;
  });
  Value loads =
      e.generate(tensorType(op.getLoads()), {experts}, [&](Nums expert) {
        return toI32(count(e, e.index(0), tokens,
                           [&](Num n) { return chosen(n, expert[0]); }));
      });
  return {weights, ids, loads};
}

static SmallVector<Value> lower(Emitter &e, UpdateRouteBiasOp op,
                                UpdateRouteBiasOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value bias = adaptor.getBias(), loads = adaptor.getLoads();
  Num experts = e.size(bias, 0);
  auto load = [&](Num i) { return e.toIndex(e.read(loads, {i})); };
  Num total = e.fold({experts}, e.index(0),
                     [&](Nums at, Num sum) { return sum + load(at[0]); });
  return {e.generate(type, {experts}, [&](Nums at) {
    Num less = total - load(at[0]) * experts;
    Num sign =
        select(less > 0, e.real(1), select(less < 0, e.real(-1), e.real(0)));
    return e.read(bias, at) + e.read(adaptor.getRate(), {}) * sign;
  })};
}

// ----- the experts ----------------------------------------------------------

/// [N, k] i32: experts as numbers of [0, count); those outside are reported and
/// become the nearest.
static Value checkedExperts(Emitter &e, Value experts, bool isUnsigned,
                            Num numExperts) {
  return e.generate(
      scratch(e.b.getI32Type(), 2), e.sizes(experts), [&](Nums at) {
        Num id = e.checked(e.read(experts, at, isUnsigned), numExperts).value;
        return toI32(select(id < 0, e.index(0),
                            select(id < numExperts, id, numExperts - 1)));
      });
}

static SmallVector<Value> lower(Emitter &e, MoeOp op, MoeOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), weights = adaptor.getWeights(),
        gate = adaptor.getGate(), up = adaptor.getUp(),
        down = adaptor.getDown();
  Num width = e.size(input, 1), inner = e.size(gate, 1);
  Value experts = checkedExperts(e, adaptor.getExperts(),
                                 isUnsigned(op.getExperts()), e.size(gate, 0));
  auto expertAt = [&](Num n, Num slot) {
    return e.toIndex(e.read(experts, {n, slot}));
  };
  Nums slots = e.sizes(experts);
  Value a = e.generate(
      scratch(e.b.getF64Type(), 3), joined(slots, {inner}), [&](Nums at) {
        auto product = [&](Value weight) {
          return e.sum(width, [&](Num i) {
            return e.read(input, {at[0], i}) *
                   e.read(weight, {expertAt(at[0], at[1]), at[2], i});
          });
        };
        return swiglu(e, product(gate), product(up));
      });
  return {e.generate(type, e.sizes(input), [&](Nums at) {
    return e.sum(slots[1], [&](Num slot) {
      Num sum = e.sum(inner, [&](Num i) {
        return e.read(a, {at[0], slot, i}) *
               e.read(down, {expertAt(at[0], slot), at[1], i});
      });
      return e.read(weights, {at[0], slot}) * sum;
    });
  })};
}

static SmallVector<Value> lower(Emitter &e, GroupTokensOp op,
                                GroupTokensOp::Adaptor adaptor,
                                RankedTensorType type) {
  Num numExperts = e.index(op.getNumExperts()), m = e.index(op.getTileRows());
  Value experts = checkedExperts(e, adaptor.getExperts(),
                                 isUnsigned(op.getExperts()), numExperts);
  Nums sizes = e.sizes(experts);
  Num slots = sizes[1], rows = sizes[0] * slots;
  /// The expert of entry p, row-major.
  auto expertOf = [&](Num p) {
    return e.toIndex(e.read(experts, {p / slots, p % slots}));
  };
  Value places = e.generate(tensorType(op.getPlaces()), sizes, [&](Nums at) {
    Num p = at[0] * slots + at[1], expert = expertOf(p);
    return toI32(count(e, e.index(0), rows, [&](Num q) {
      return (expertOf(q) < expert) | ((expertOf(q) == expert) & (q < p));
    }));
  });
  Value tokens = e.generate(type, {rows}, [&](Nums row) {
    return toI32(e.fold(sizes, e.index(0), [&](Nums at, Num found) {
      Num isIts = e.toIndex(e.read(places, at)) == row[0];
      return select(isIts, at[0], found);
    }));
  });
  Value offsets = e.generate(
      tensorType(op.getOffsets()), {numExperts + 1}, [&](Nums expert) {
        return toI32(count(e, e.index(0), rows,
                           [&](Num p) { return expertOf(p) < expert[0]; }));
      });
  auto offset = [&](Num expert) {
    return e.toIndex(e.read(offsets, {expert}));
  };
  auto rowsOf = [&](Num expert) { return offset(expert + 1) - offset(expert); };
  auto tilesOf = [&](Num expert) { return (rowsOf(expert) + m - 1) / m; };
  /// How many tiles the experts before have.
  Value firstTiles =
      e.generate(scratch(e.b.getI32Type(), 1), {numExperts + 1}, [&](Nums end) {
        return toI32(e.fold({end[0]}, e.index(0), [&](Nums expert, Num sum) {
          return sum + tilesOf(expert[0]);
        }));
      });
  auto firstTile = [&](Num expert) {
    return e.toIndex(e.read(firstTiles, {expert}));
  };
  Num full = (rows + m - 1) / m;
  Value tiles = e.generate(
      tensorType(op.getTiles()), {full + numExperts, e.index(3)}, [&](Nums at) {
        return toI32(e.fold({numExperts}, e.index(0), [&](Nums i, Num found) {
          Num expert = i[0], skipped = (at[0] - firstTile(expert)) * m;
          Num isIts =
              (firstTile(expert) <= at[0]) & (at[0] < firstTile(expert + 1));
          Num fact = select(at[1] == 0, expert,
                            select(at[1] == 1, offset(expert) + skipped,
                                   minimum(m, rowsOf(expert) - skipped)));
          return select(isIts, fact, found);
        }));
      });
  Value all = e.generate(tensorType(op.getCount()), {},
                         [&](Nums) { return toI32(firstTile(numExperts)); });
  return {tokens, places, offsets, tiles, all};
}

Value expertsOfRows(Emitter &e, Num rows, Value tiles, Value count) {
  auto fact = [&](Num i, int64_t which) {
    return e.toIndex(e.read(tiles, {i, e.index(which)}));
  };
  Num tileCount = e.toIndex(e.read(count, {}));
  return e.generate(scratch(e.b.getI32Type(), 1), {rows}, [&](Nums row) {
    return toI32(e.fold({tileCount}, e.index(0), [&](Nums at, Num found) {
      Num first = fact(at[0], 1);
      Num isIts = (first <= row[0]) & (row[0] < first + fact(at[0], 2));
      return select(isIts, fact(at[0], 0), found);
    }));
  });
}

static SmallVector<Value> lower(Emitter &e, GroupedLinearOp op,
                                GroupedLinearOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value input = adaptor.getInput(), numbers = adaptor.getRows(),
        weight = adaptor.getWeight();
  Num rows = e.size(numbers ? numbers : input, 0), columns = e.size(input, 1);
  Value experts =
      expertsOfRows(e, rows, adaptor.getTiles(), adaptor.getCount());
  return {e.generate(type, {rows, e.size(weight, 1)}, [&](Nums at) {
    Num expert = e.toIndex(e.read(experts, {at[0]})),
        source = numbers ? e.toIndex(e.read(numbers, {at[0]})) : at[0];
    return e.sum(columns, [&](Num k) {
      return e.read(input, {source, k}) * e.read(weight, {expert, at[1], k});
    });
  })};
}

static SmallVector<Value> lower(Emitter &e, CombineOp,
                                CombineOp::Adaptor adaptor,
                                RankedTensorType type) {
  Value values = adaptor.getValues(), places = adaptor.getPlaces();
  Nums sizes{e.size(places, 0), e.size(values, 1)};
  return {e.generate(type, sizes, [&](Nums at) {
    return e.sum(e.size(places, 1), [&](Num slot) {
      Num row = e.toIndex(e.read(places, {at[0], slot}));
      return e.read(adaptor.getWeights(), {at[0], slot}) *
             e.read(values, {row, at[1]});
    });
  })};
}

void addExperts(Rules &rules) {
  rules.add<RouteOp>(lower);
  rules.add<UpdateRouteBiasOp>(lower);
  rules.add<MoeOp>(lower);
  rules.add<GroupTokensOp>(lower);
  rules.add<GroupedLinearOp>(lower);
  rules.add<CombineOp>(lower);
}

} // namespace mlir::ds::reference
