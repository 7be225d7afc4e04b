//===- DsExpertOps.cpp - constraints and shapes of routed experts ---------===//
//
// The descriptions in DsExpertOps.td give the constraints that the messages
// cite.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsTiling.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::ds;

static Type i32Of(Operation *op) {
  return IntegerType::get(op->getContext(), 32);
}
static Type f32Of(Operation *op) { return Float32Type::get(op->getContext()); }

/// `value` has this element type, and its shape agrees with `shape`.
static LogicalResult expectTensor(Operation *op, StringRef constraint,
                                  StringRef what, Value value, Type element,
                                  ArrayRef<int64_t> shape) {
  if (failed(expectElement(op, constraint, what, value, element)))
    return failure();
  return expectShape(op, constraint, what, value, shape);
}

/// `number`, an attribute, is one of first … last.
static LogicalResult expectWithin(Operation *op, StringRef constraint,
                                  StringRef what, int64_t number, int64_t first,
                                  int64_t last) {
  if (number >= first && number <= last)
    return success();
  return op->emitOpError() << constraint << ": " << what << " is " << number
                           << ", expected a number from " << first << " to "
                           << last;
}

//===----------------------------------------------------------------------===//
// ds.route
//===----------------------------------------------------------------------===//

LogicalResult RouteOp::verify() {
  if (failed(expectElement(*this, "C1", "logits", getLogits(), f32Of(*this))) ||
      failed(expectRank(*this, "C1", "logits", getLogits(), 2)))
    return failure();
  int64_t experts = shapeOf(getLogits())[1], tokens = shapeOf(getLogits())[0];
  if (ShapedType::isDynamic(experts) || experts == 0)
    return emitOpError("C1: logits has ")
           << sizeText(experts)
           << " columns, expected a static number of experts, 1 or more";
  if (Value bias = getBias())
    if (failed(expectTensor(*this, "C2", "bias", bias, f32Of(*this), experts)))
      return failure();
  if (failed(expectWithin(*this, "C3", "top_k", getTopK(), 1, experts)))
    return failure();
  int64_t groups = getGroups();
  if (groups < 1 || experts % groups != 0)
    return emitOpError("C4: groups is ")
           << groups << ", expected a divisor of the " << experts << " experts";
  if (failed(
          expectWithin(*this, "C4", "kept_groups", getKeptGroups(), 1, groups)))
    return failure();
  if (std::optional<APFloat> epsilon = getNormalize())
    if (failed(expectFromZero(*this, "C5", "normalize", *epsilon)))
      return failure();
  if (failed(expectFinite(*this, "C5", "scale", getScale())))
    return failure();
  Shape slots{tokens, int64_t(getTopK())};
  if (failed(expectTensor(*this, "C6", "weights", getWeights(), f32Of(*this),
                          slots)) ||
      failed(expectTensor(*this, "C6", "experts", getExperts(), i32Of(*this),
                          slots)))
    return failure();
  return expectTensor(*this, "C6", "loads", getLoads(), i32Of(*this), experts);
}

LogicalResult RouteOp::reifyResultShapes(OpBuilder &b,
                                         ReifiedRankedShapedTypeDims &shapes) {
  for (Value result : {getWeights(), getExperts()})
    shapes.push_back(resultSizes(b, result, [&](int64_t d) -> OpFoldResult {
      return d == 0 ? sizeOf(b, getLoc(), getLogits(), 0)
                    : OpFoldResult(b.getIndexAttr(getTopK()));
    }));
  shapes.push_back(resultSizes(b, getLoads(), [&](int64_t) {
    return sizeOf(b, getLoc(), getLogits(), 1);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.update_route_bias
//===----------------------------------------------------------------------===//

LogicalResult
UpdateRouteBiasOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                    Adaptor adaptor,
                                    SmallVectorImpl<Type> &types) {
  RankedTensorType bias = ranked(adaptor.getBias()),
                   loads = ranked(adaptor.getLoads());
  if (bias.getRank() != 1 || loads.getRank() != 1)
    return failure();
  int64_t experts = known(bias.getDimSize(0), loads.getDimSize(0));
  types.push_back(RankedTensorType::get(experts, bias.getElementType()));
  return success();
}

LogicalResult UpdateRouteBiasOp::verify() {
  if (failed(expectElement(*this, "C1", "bias", getBias(), f32Of(*this))) ||
      failed(expectRank(*this, "C1", "bias", getBias(), 1)) ||
      failed(expectTensor(*this, "C1", "the result", getResult(), f32Of(*this),
                          shapeOf(getBias()))) ||
      failed(expectTensor(*this, "C2", "loads", getLoads(), i32Of(*this),
                          shapeOf(getBias()))) ||
      failed(expectElement(*this, "C3", "rate", getRate(), f32Of(*this))))
    return failure();
  return expectRank(*this, "C3", "rate", getRate(), 0);
}

LogicalResult
UpdateRouteBiasOp::reifyResultShapes(OpBuilder &b,
                                     ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getBias(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.moe
//===----------------------------------------------------------------------===//

LogicalResult MoeOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult MoeOp::verify() {
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectRank(*this, "C1", "input", getInput(), 2)) ||
      failed(expectElement(*this, "C1", "the result", getResult(),
                           elementType(getInput()))))
    return failure();
  int64_t tokens = shapeOf(getInput())[0], width = shapeOf(getInput())[1];
  if (failed(expectInteger(*this, "C2", "experts", getExperts())) ||
      failed(expectRank(*this, "C2", "experts", getExperts(), 2)) ||
      failed(expectSize(*this, "C2", "experts", getExperts(), 0, tokens,
                        "the input's rows")) ||
      failed(expectTensor(*this, "C2", "weights", getWeights(), f32Of(*this),
                          {tokens, shapeOf(getExperts())[1]})) ||
      failed(expectFloat(*this, "C3", "gate", getGate())) ||
      failed(expectFloat(*this, "C3", "up", getUp())) ||
      failed(expectFloat(*this, "C3", "down", getDown())) ||
      failed(expectRank(*this, "C3", "gate", getGate(), 3)))
    return failure();
  int64_t experts = shapeOf(getGate())[0], inner = shapeOf(getGate())[1];
  if (ShapedType::isDynamic(experts) || experts == 0)
    return emitOpError("C3: gate has ")
           << sizeText(experts)
           << " experts, expected a static number, 1 or more";
  if (failed(expectShape(*this, "C3", "gate", getGate(),
                         {experts, inner, width})) ||
      failed(
          expectShape(*this, "C3", "up", getUp(), {experts, inner, width})) ||
      failed(
          expectShape(*this, "C3", "down", getDown(), {experts, width, inner})))
    return failure();
  return expectShape(*this, "C4", "the result", getResult(),
                     shapeOf(getInput()));
}

LogicalResult MoeOp::reifyResultShapes(OpBuilder &b,
                                       ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return sizeOf(b, getLoc(), getInput(), d);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.group_tokens
//===----------------------------------------------------------------------===//

/// The shapes of tokens, places, offsets, tiles and count.
static SmallVector<Shape> groupShapes(ArrayRef<int64_t> experts,
                                      int64_t numExperts, int64_t tileRows) {
  int64_t rows = ShapedType::kDynamic, tiles = ShapedType::kDynamic;
  if (!ShapedType::isDynamicShape(experts)) {
    rows = experts[0] * experts[1];
    tiles = llvm::divideCeil(rows, tileRows) + numExperts;
  }
  return {{rows}, Shape(experts), {numExperts + 1}, {tiles, 3}, {}};
}

void GroupTokensOp::build(OpBuilder &b, OperationState &state, Value experts,
                          int64_t numExperts, int64_t tileRows) {
  SmallVector<Type> types;
  for (const Shape &shape : groupShapes(shapeOf(experts), numExperts, tileRows))
    types.push_back(RankedTensorType::get(shape, b.getI32Type()));
  build(b, state, types, experts, numExperts, tileRows);
}

LogicalResult GroupTokensOp::verify() {
  if (failed(expectInteger(*this, "C1", "experts", getExperts())) ||
      failed(expectRank(*this, "C1", "experts", getExperts(), 2)))
    return failure();
  if (ShapedType::isDynamic(shapeOf(getExperts())[1]))
    return emitOpError("C1: experts has ? columns, expected a static number");
  int64_t experts = getNumExperts(), rows = getTileRows();
  if (experts < 1 || rows < 1)
    return emitOpError("C2: num_experts is ")
           << experts << " and tile_rows is " << rows
           << ", expected positive numbers";
  SmallVector<Shape> shapes = groupShapes(shapeOf(getExperts()), experts, rows);
  StringRef names[] = {"tokens", "places", "offsets", "tiles", "count"};
  for (auto [name, result, shape] :
       llvm::zip_equal(names, getResults(), shapes))
    if (failed(expectTensor(*this, "C3", name, result, i32Of(*this), shape)))
      return failure();
  return success();
}

LogicalResult
GroupTokensOp::reifyResultShapes(OpBuilder &b,
                                 ReifiedRankedShapedTypeDims &shapes) {
  Location loc = getLoc();
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  // N·k, where it is no number.
  auto rows = [&]() -> Value {
    Value tokens = getValueOrCreateConstantIndexOp(
        b, loc, sizeOf(b, loc, getExperts(), 0));
    return arith::MulIOp::create(b, loc, tokens,
                                 number(shapeOf(getExperts())[1]));
  };
  shapes.push_back(resultSizes(
      b, getTokens(), [&](int64_t) -> OpFoldResult { return rows(); }));
  shapes.push_back(resultSizes(b, getPlaces(), [&](int64_t d) {
    return sizeOf(b, loc, getExperts(), d);
  }));
  shapes.push_back(resultSizes(b, getOffsets(), [&](int64_t) -> OpFoldResult {
    return b.getIndexAttr(getNumExperts() + 1);
  }));
  shapes.push_back(resultSizes(b, getTiles(), [&](int64_t d) -> OpFoldResult {
    if (d == 1)
      return b.getIndexAttr(3);
    Value full =
        arith::CeilDivUIOp::create(b, loc, rows(), number(getTileRows()));
    return arith::AddIOp::create(b, loc, full, number(getNumExperts()))
        .getResult();
  }));
  shapes.push_back({});
  return success();
}

//===----------------------------------------------------------------------===//
// ds.grouped_linear
//===----------------------------------------------------------------------===//

LogicalResult GroupedLinearOp::verify() {
  if (failed(expectFloat(*this, "C1", "input", getInput())) ||
      failed(expectFloat(*this, "C1", "weight", getWeight())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRank(*this, "C1", "input", getInput(), 2)) ||
      failed(expectRank(*this, "C1", "weight", getWeight(), 3)) ||
      failed(expectSize(*this, "C2", "weight", getWeight(), 2,
                        shapeOf(getInput())[1], "the input's last size")))
    return failure();
  int64_t rows = shapeOf(getInput())[0];
  if (Value numbers = getRows()) {
    if (failed(expectElement(*this, "C3", "rows", numbers, i32Of(*this))) ||
        failed(expectRank(*this, "C3", "rows", numbers, 1)))
      return failure();
    rows = shapeOf(numbers)[0];
  }
  if (failed(expectTensor(*this, "C4", "tiles", getTiles(), i32Of(*this),
                          {ShapedType::kDynamic, 3})) ||
      failed(expectTensor(*this, "C4", "count", getCount(), i32Of(*this), {})))
    return failure();
  return expectShape(*this, "C5", "the result", getResult(),
                     {rows, shapeOf(getWeight())[1]});
}

LogicalResult
GroupedLinearOp::reifyResultShapes(OpBuilder &b,
                                   ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == 1 ? sizeOf(b, getLoc(), getWeight(), 1)
                  : sizeOf(b, getLoc(), getRows() ? getRows() : getInput(), 0);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// ds.combine
//===----------------------------------------------------------------------===//

LogicalResult CombineOp::verify() {
  if (failed(expectFloat(*this, "C1", "values", getValues())) ||
      failed(expectFloat(*this, "C1", "the result", getResult())) ||
      failed(expectRank(*this, "C1", "values", getValues(), 2)) ||
      failed(expectElement(*this, "C2", "places", getPlaces(), i32Of(*this))) ||
      failed(expectRank(*this, "C2", "places", getPlaces(), 2)) ||
      failed(expectTensor(*this, "C2", "weights", getWeights(), f32Of(*this),
                          shapeOf(getPlaces()))))
    return failure();
  return expectShape(*this, "C3", "the result", getResult(),
                     {shapeOf(getPlaces())[0], shapeOf(getValues())[1]});
}

LogicalResult
CombineOp::reifyResultShapes(OpBuilder &b,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(resultSizes(b, getResult(), [&](int64_t d) {
    return d == 0 ? sizeOf(b, getLoc(), getPlaces(), 0)
                  : sizeOf(b, getLoc(), getValues(), 1);
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// Tiles: outputs of a grouped product; tokens and columns of a combination
//===----------------------------------------------------------------------===//

/// [from, from + count) of dimension `dim` of `source`, all of the others.
static Value sliceAlong(OpBuilder &b, Location loc, Value source, int64_t dim,
                        OpFoldResult from, OpFoldResult count) {
  Tile tile;
  for (int64_t d = 0; d < ranked(source).getRank(); ++d)
    tile.add(d == dim ? from : b.getIndexAttr(0),
             d == dim ? count : sizeOf(b, loc, source, d));
  return slice(b, loc, source, tile);
}

static SmallVector<IteratorType> loopKinds(GroupedLinearOp) {
  return {IteratorType::parallel};
}
static Sizes loopSizes(OpBuilder &b, GroupedLinearOp op) {
  return {sizeOf(b, op.getLoc(), op.getWeight(), 1)};
}
static Tile resultTile(OpBuilder &b, GroupedLinearOp op, unsigned,
                       const Tile &loops) {
  Value rows = op.getRows() ? op.getRows() : op.getInput();
  Tile tile;
  tile.add(b.getIndexAttr(0), sizeOf(b, op.getLoc(), rows, 0));
  tile.add(loops.offsets[0], loops.sizes[0]);
  return tile;
}
static Operation *tiled(OpBuilder &b, GroupedLinearOp op, const Tile &loops) {
  Location loc = op.getLoc();
  Tile tile = resultTile(b, op, 0, loops);
  return GroupedLinearOp::create(
      b, loc, tileType(op.getResult(), tile.sizes), op.getInput(), op.getRows(),
      sliceAlong(b, loc, op.getWeight(), 1, loops.offsets[0], loops.sizes[0]),
      op.getTiles(), op.getCount());
}
/// Tiles of some rows only are made whole: whose expert they have is data.
static FailureOr<Tile> loopsOf(OpBuilder &, GroupedLinearOp op, unsigned,
                               const Tile &tile) {
  int64_t rows = shapeOf(op.getResult())[0];
  if (getConstantIntValue(tile.offsets[0]) != 0 ||
      ShapedType::isDynamic(rows) || getConstantIntValue(tile.sizes[0]) != rows)
    return failure();
  return Tile{{tile.offsets[1]}, {tile.sizes[1]}};
}

static SmallVector<IteratorType> loopKinds(CombineOp) {
  return SmallVector<IteratorType>(2, IteratorType::parallel);
}
static Sizes loopSizes(OpBuilder &b, CombineOp op) {
  return {sizeOf(b, op.getLoc(), op.getPlaces(), 0),
          sizeOf(b, op.getLoc(), op.getValues(), 1)};
}
static Tile resultTile(OpBuilder &, CombineOp, unsigned, const Tile &loops) {
  return loops;
}
static Operation *tiled(OpBuilder &b, CombineOp op, const Tile &loops) {
  Location loc = op.getLoc();
  auto rows = [&](Value source) {
    return sliceAlong(b, loc, source, 0, loops.offsets[0], loops.sizes[0]);
  };
  return CombineOp::create(
      b, loc, tileType(op.getResult(), loops.sizes),
      sliceAlong(b, loc, op.getValues(), 1, loops.offsets[1], loops.sizes[1]),
      rows(op.getPlaces()), rows(op.getWeights()));
}
static FailureOr<Tile> loopsOf(OpBuilder &, CombineOp, unsigned,
                               const Tile &tile) {
  return tile;
}

DS_TILES(GroupedLinearOp)
DS_TILES(CombineOp)
