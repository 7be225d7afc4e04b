//===- ImportTensor.cpp - TensorProto without reading the weights ---------===//
#include "dialects/onnx/Import/Importer.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::onnx;

/// Tensors up to this many elements are kept in the IR: shapes, axes, scalars.
static constexpr int64_t maxInline = 128;

static unsigned bitWidth(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * complex.getElementType().getIntOrFloatBitWidth();
  return type.isInteger(1) ? 8 : type.getIntOrFloatBitWidth();
}

/// `raw` is ONNX raw_data: little endian, 4- and 2-bit types packed from the
/// low bits, bool one byte.
static DenseElementsAttr elementsFromRaw(RankedTensorType type,
                                         ArrayRef<char> raw) {
  Type element = type.getElementType();
  int64_t count = type.getNumElements();
  unsigned width = bitWidth(element);
  if (count == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  if (element.isInteger(1)) {
    SmallVector<bool> bits;
    for (char byte : raw)
      bits.push_back(byte != 0);
    return DenseElementsAttr::get(type, bits);
  }
  if (width >= 8) {
    size_t bytes = width / 8;
    ArrayRef<char> first = raw.take_front(bytes);
    bool splat = true;
    for (int64_t i = 1; splat && i < count; ++i)
      splat = raw.slice(i * bytes, bytes) == first;
    return DenseElementsAttr::getFromRawBuffer(type, splat ? first : raw);
  }
  SmallVector<APInt> numbers;
  for (int64_t i = 0; i < count; ++i) {
    unsigned shift = unsigned(i * width % 8);
    numbers.push_back(APInt(width, (uint8_t(raw[i * width / 8]) >> shift) &
                                       ((1u << width) - 1)));
  }
  if (auto floatType = dyn_cast<FloatType>(element)) {
    SmallVector<APFloat> floats;
    for (const APInt &bits : numbers)
      floats.emplace_back(floatType.getFloatSemantics(), bits);
    return DenseElementsAttr::get(type, floats);
  }
  return DenseElementsAttr::get(type, numbers);
}

Attribute Importer::rangeInModel(StringRef data) {
  return FileRangeAttr::get(context, fileName, data.data() - bytes.data(),
                            data.size());
}

FailureOr<Attribute> Importer::externalRange(StringRef location,
                                             uint64_t offset,
                                             std::optional<uint64_t> length,
                                             uint64_t needed, StringRef owner) {
  namespace path = llvm::sys::path;
  bool climbs = llvm::is_contained(
      llvm::make_range(path::begin(location), path::end(location)), "..");
  if (location.empty() || path::is_absolute(location) || climbs)
    return error("external data of '" + owner + "' is at '" + location +
                 "': it must be a path inside the model's folder");
  auto it = externalSizes.find(location);
  if (it == externalSizes.end()) {
    SmallString<128> full(folder), real, realFolder;
    path::append(full, location);
    uint64_t size = 0;
    if (std::error_code code = llvm::sys::fs::file_size(full, size))
      return error("external data of '" + owner + "': cannot open '" + full +
                   "': " + code.message() +
                   "; it must lie beside the model file");
    if (!llvm::sys::fs::is_regular_file(full))
      return error("external data of '" + owner + "': '" + full +
                   "' is no regular file");
    if (llvm::sys::fs::real_path(full, real) ||
        llvm::sys::fs::real_path(folder, realFolder))
      return error("cannot resolve '" + full + "'");
    realFolder += "/";
    if (!StringRef(real).starts_with(
            realFolder == "//" ? StringRef("/") : StringRef(realFolder)))
      return error("external data of '" + owner + "' at '" + location +
                   "' is a link that leaves the model's folder");
    it = externalSizes.try_emplace(location, size).first;
  }
  uint64_t size = it->second;
  if (offset > size || needed > size - offset)
    return error("external data of '" + owner + "' needs bytes " +
                 Twine(offset) + " to " + Twine(offset) + "+" + Twine(needed) +
                 " of '" + location + "', which has " + Twine(size));
  if (length && *length != needed)
    return error("external data of '" + owner + "' is " + Twine(*length) +
                 " bytes long, its type needs " + Twine(needed));
  return Attribute(FileRangeAttr::get(context, location, offset, needed));
}

FailureOr<ImportedTensor> Importer::importTensor(StringRef message,
                                                 StringRef owner) {
  ImportedTensor result;
  SmallVector<int64_t> dims;
  int64_t dataType = 0;
  StringRef raw;
  bool hasRaw = false, isExternal = false, hasNumbers = false;
  StringRef packed; // float_data or double_data in one piece
  SmallVector<char> numbers;
  SmallVector<StringRef> strings;
  StringRef location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;

  WireReader tensor(message);
  auto appendNumber = [&](uint64_t number, size_t size) {
    for (size_t i = 0; i < size; ++i)
      numbers.push_back(char(number >> (8 * i)));
  };
  // The width of numbers in int32_data is that of the type, which may come
  // later in the message: find it first.
  for (WireReader scan(message); scan.next();)
    if (scan.getField() == 2 && scan.isVarint())
      dataType = scan.getSigned();
    else if (scan.getField() == 8)
      result.name = scan.getBytes();
  if (!result.name.empty())
    owner = result.name;
  FailureOr<Type> element = elementType(dataType, owner);
  if (failed(element))
    return failure();
  bool isString = isa<StringType>(*element);
  unsigned width = isString ? 0 : bitWidth(*element);

  // Which field holds the numbers follows from the type.
  static constexpr const char *fieldNames[] = {
      "", "",           "", "", "float_data",  "int32_data",
      "", "int64_data", "", "", "double_data", "uint64_data"};
  unsigned numberField;
  switch (dataType) {
  case 1:  // FLOAT
  case 14: // COMPLEX64
    numberField = 4;
    break;
  case 11: // DOUBLE
  case 15: // COMPLEX128
    numberField = 10;
    break;
  case 7: // INT64
    numberField = 7;
    break;
  case 12: // UINT32
  case 13: // UINT64
    numberField = 11;
    break;
  default:
    numberField = 5;
  }
  while (tensor.next()) {
    unsigned field = tensor.getField();
    if (field < std::size(fieldNames) && *fieldNames[field] &&
        field != numberField &&
        !(tensor.isBytes() && tensor.getBytes().empty()))
      return error("tensor '" + owner + "' has its numbers in " +
                   fieldNames[field] + ", where its type has none");
    switch (tensor.getField()) {
    case 1:
      tensor.forEachVarint([&](uint64_t d) { dims.push_back(int64_t(d)); });
      break;
    case 4:  // float_data
    case 10: // double_data
      hasNumbers = true;
      if (tensor.isBytes()) {
        if (packed.empty() && numbers.empty())
          packed = tensor.getBytes();
        else
          numbers.append(tensor.getBytes().begin(), tensor.getBytes().end());
      } else {
        appendNumber(tensor.getUnsigned(), tensor.getField() == 4 ? 4 : 8);
      }
      break;
    case 5:  // int32_data
    case 7:  // int64_data
    case 11: // uint64_data
      hasNumbers = true;
      tensor.forEachVarint(
          [&](uint64_t n) { appendNumber(n, std::max(width / 8, 1u)); });
      break;
    case 6:
      strings.push_back(tensor.getBytes());
      break;
    case 9:
      hasRaw = true;
      raw = tensor.getBytes();
      break;
    case 13: {
      StringRef key, value;
      WireReader entry(tensor.getBytes());
      while (entry.next())
        (entry.getField() == 1 ? key : value) = entry.getBytes();
      if (entry.isBroken())
        return broken("external data of '" + owner.str() + "'");
      uint64_t number = 0;
      if (key == "location")
        location = value;
      else if (key == "offset" || key == "length") {
        if (value.getAsInteger(10, number))
          return error("external data of '" + owner + "' has " + key + " '" +
                       value + "', which is no number from 0 to 2^64-1");
        if (key == "offset")
          offset = number;
        else
          length = number;
      }
      break;
    }
    case 14:
      isExternal = tensor.getUnsigned() == 1;
      break;
    }
  }
  if (tensor.isBroken())
    return broken("tensor '" + owner.str() + "'");

  uint64_t count = 1;
  for (int64_t d : dims) {
    // Far above any real tensor, far below where bytes · 8 overflows.
    if (d < 0 || (d != 0 && count > (uint64_t(1) << 50) / uint64_t(d)))
      return error("tensor '" + owner + "' has an impossible size " + Twine(d));
    count *= uint64_t(d);
  }
  result.type = RankedTensorType::get(dims, *element);
  if (isString) {
    if (strings.size() != count)
      return error("tensor '" + owner + "' has " + Twine(strings.size()) +
                   " strings for " + Twine(count) + " elements");
    result.value = DenseStringElementsAttr::get(result.type, strings);
    return result;
  }
  uint64_t needed = (count * width + 7) / 8;
  if (isExternal) {
    FailureOr<Attribute> range =
        externalRange(location, offset, length, needed, owner);
    if (failed(range))
      return failure();
    result.value = *range;
    return result;
  }
  StringRef data = raw;
  if (!hasRaw && hasNumbers && numbers.empty())
    data = packed;
  else if (!hasRaw && hasNumbers) {
    numbers.insert(numbers.begin(), packed.begin(), packed.end());
    data = StringRef(numbers.data(), numbers.size());
  }
  if (data.size() != needed)
    return error("tensor '" + owner + "' has " + Twine(data.size()) +
                 " bytes of data, its type needs " + Twine(needed));
  bool inFile = hasRaw || numbers.empty();
  if (inFile && int64_t(count) > maxInline)
    result.value = rangeInModel(data);
  else
    result.value =
        elementsFromRaw(result.type, ArrayRef<char>(data.data(), data.size()));
  return result;
}
