//===- Parser.cpp - a PTX module out of its text --------------------------===//
#include "tools/ptx-emulator/ptx/Parser.h"
#include "tools/ptx-emulator/ptx/FunctionParser.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ptx {

namespace {

/// Initial values beyond this are a mistake.
constexpr uint64_t mostContents = uint64_t(1) << 30;

class ModuleParser {
public:
  explicit ModuleParser(std::string_view source) : tokens(source) {}

  Module parse() {
    header();
    while (tokens.peek().kind != TokenKind::End)
      item();
    return std::move(module);
  }

private:
  void header();
  void parseVersion();
  void parseTarget();
  void item();
  void parseFile();
  void skipSection();
  void parseVariables(Space space, Linkage linkage);
  void parseInitialiser(Variable &variable);
  void parseElement(Variable &variable, uint64_t &index);
  void parseFunction(Linkage linkage, bool isEntry);
  std::vector<Variable> parseParameters();
  void parseFunctionDirectives(Function &function);

  TokenStream tokens;
  Module module;
};

void ModuleParser::header() {
  if (!tokens.takeIf(".version"))
    tokens.unexpected(".version");
  parseVersion();
  if (!tokens.takeIf(".target"))
    tokens.unexpected(".target");
  parseTarget();
  if (tokens.takeIf(".address_size"))
    tokens.integer(".address_size", 64, 64);
}

void ModuleParser::parseVersion() {
  const Token token = tokens.peek();
  // 8.3 is a decimal number to the lexer.
  size_t dot = token.text.find('.');
  if (token.kind != TokenKind::Float || dot != 1 || token.text.size() != 3)
    tokens.unexpected("a version");
  tokens.take();
  module.major = unsigned(token.text[0] - '0');
  module.minor = unsigned(token.text[2] - '0');
  unsigned version = module.major * 10 + module.minor;
  if (version < 80 || version > 90)
    throw Error(token.line,
                ".version is " + std::string(token.text) +
                    ", known are 8.0 to 9.0",
                ErrorKind::Version);
}

void ModuleParser::parseTarget() {
  int line = tokens.line();
  std::string name = tokens.name("a target");
  constexpr std::string_view known[] = {"sm_80", "sm_86", "sm_87",
                                        "sm_89", "sm_90", "sm_90a"};
  if (std::ranges::find(known, name) == std::end(known))
    throw Error(line,
                ".target is " + name +
                    ", known are sm_80, sm_86, sm_87, sm_89, sm_90 and "
                    "sm_90a",
                ErrorKind::Target);
  module.architecture = unsigned(std::stoul(name.substr(3)));
  module.isArchitectureSpecific = name.back() == 'a';
  while (tokens.takeIf(','))
    if (!tokens.takeIf("debug") && !tokens.takeIf("texmode_independent"))
      tokens.unexpected("debug");
}

void ModuleParser::item() {
  Linkage linkage = Linkage::Internal;
  constexpr std::pair<std::string_view, Linkage> linkages[] = {
      {".visible", Linkage::Visible},
      {".extern", Linkage::Extern},
      {".weak", Linkage::Weak},
      {".common", Linkage::Common}};
  for (auto [name, each] : linkages)
    if (linkage == Linkage::Internal && tokens.takeIf(name))
      linkage = each;
  const Token token = tokens.peek();
  if (tokens.takeIf(".entry"))
    return parseFunction(linkage, /*isEntry=*/true);
  if (tokens.takeIf(".func"))
    return parseFunction(linkage, /*isEntry=*/false);
  if (tokens.takeIf(".global"))
    return parseVariables(Space::Global, linkage);
  if (tokens.takeIf(".const"))
    return parseVariables(Space::Constant, linkage);
  if (tokens.takeIf(".shared"))
    return parseVariables(Space::Shared, linkage);
  if (linkage == Linkage::Internal) {
    if (tokens.takeIf(".file"))
      return parseFile();
    if (tokens.takeIf(".section"))
      return skipSection();
    if (tokens.takeIf(".pragma"))
      return skipPragma(tokens);
  }
  if (token.kind == TokenKind::Name && token.text[0] == '.')
    throw Error(token.line,
                "'" + std::string(token.text) + "' is not known in a module");
  tokens.unexpected("a variable or a function");
}

/// number "name"[, timestamp, size]
void ModuleParser::parseFile() {
  uint64_t number = tokens.integer("the number of a file", 0, 1 << 20);
  std::string_view name = tokens.string("the name of a file");
  if (module.files.size() <= number)
    module.files.resize(number + 1);
  module.files[number] = name;
  while (tokens.takeIf(','))
    tokens.integer("a time or a size");
}

/// Debug information in DWARF is skipped; `.loc` says enough.
void ModuleParser::skipSection() {
  int line = tokens.line();
  while (!tokens.peek().is('{')) {
    if (tokens.peek().kind == TokenKind::End)
      throw Error(line, "a section without its {");
    tokens.take();
  }
  while (!tokens.peek().is('}')) {
    if (tokens.peek().kind == TokenKind::End)
      throw Error(line, "a section without its }");
    tokens.take();
  }
  tokens.take();
}

void ModuleParser::parseVariables(Space space, Linkage linkage) {
  Declaration declaration = parseDeclaration(tokens);
  do {
    Variable variable = parseVariable(tokens, space, declaration);
    variable.linkage = linkage;
    if (tokens.takeIf('=')) {
      if (space == Space::Shared || linkage == Linkage::Extern)
        throw Error(variable.line, "variable '" + variable.name +
                                       "' can have no initial value");
      parseInitialiser(variable);
    }
    bool isUnsized = variable.count == 0;
    if (isUnsized && linkage != Linkage::Extern)
      throw Error(variable.line,
                  "variable '" + variable.name + "' has no size");
    auto found = module.variableNumbers.find(variable.name);
    Variable *before = found == module.variableNumbers.end()
                           ? nullptr
                           : &module.variables[found->second];
    bool completes =
        before && before->linkage == Linkage::Extern && before->space == space;
    if (module.isDeclared(variable.name) && !completes)
      throw Error(variable.line, "'" + variable.name + "' is declared twice");
    if (before) {
      *before = std::move(variable);
    } else {
      module.variableNumbers[variable.name] = uint32_t(module.variables.size());
      module.variables.push_back(std::move(variable));
    }
  } while (tokens.takeIf(','));
  tokens.expect(';');
}

void ModuleParser::parseInitialiser(Variable &variable) {
  int line = tokens.line();
  uint64_t index = 0, depth = 0;
  // Braces of rows may be there or not: elements come in order.
  do {
    while (tokens.takeIf('{'))
      ++depth;
    if (!tokens.peek().is('}'))
      parseElement(variable, index);
    while (depth > 0 && tokens.takeIf('}'))
      --depth;
  } while (depth > 0 && tokens.takeIf(','));
  if (depth > 0)
    tokens.unexpected("'}'");
  uint64_t element = bitsOf(variable.type) / 8;
  if (variable.count == 0)
    variable.count = index / variable.vectorSize;
  if (index * element > variable.size())
    throw Error(line, "variable '" + variable.name + "' of " +
                          std::to_string(variable.size()) + " bytes has " +
                          std::to_string(index * element) +
                          " bytes of initial values");
}

void ModuleParser::parseElement(Variable &variable, uint64_t &index) {
  unsigned bytes = bitsOf(variable.type) / 8;
  uint64_t offset = index++ * bytes, bits = 0;
  if (offset > mostContents)
    throw Error(tokens.line(), "too many initial values");
  int line = tokens.line();
  if (tokens.peek().kind == TokenKind::Name) {
    Relocation relocation = {offset, bytes, "", 0, tokens.takeIf("generic")};
    if (relocation.isGeneric)
      tokens.expect('(');
    relocation.symbol = tokens.name("a variable");
    if (relocation.isGeneric)
      tokens.expect(')');
    if (tokens.takeIf('+'))
      relocation.addend = tokens.integer("an offset");
    if (bytes != 8 && bytes != 4)
      throw Error(line, "an address of " + std::to_string(bytes) + " bytes");
    bool isKnown = relocation.symbol == variable.name ||
                   module.isDeclared(relocation.symbol);
    if (!isKnown)
      throw Error(line, "'" + relocation.symbol + "' is not declared");
    variable.relocations.push_back(std::move(relocation));
  } else if (bool isNegative = tokens.takeIf('-');
             tokens.peek().kind == TokenKind::Float) {
    Token number = tokens.take();
    if (variable.type == Type::f64 || number.isSingle)
      bits = number.bits;
    else
      bits = std::bit_cast<uint32_t>(float(std::bit_cast<double>(number.bits)));
    if (isNegative)
      bits ^= uint64_t(1) << (bytes * 8 - 1);
    if (bytes < 4 || (bytes == 8 && number.isSingle))
      throw Error(line, "a float in a variable of type ." +
                            std::string(nameOf(variable.type)));
  } else {
    if (tokens.peek().kind != TokenKind::Integer)
      tokens.unexpected("an initial value");
    bits = tokens.take().bits;
    if (isNegative)
      bits = 0 - bits;
  }
  if (variable.bytes.size() < offset + bytes)
    variable.bytes.resize(offset + bytes);
  std::memcpy(variable.bytes.data() + offset, &bits, std::min(bytes, 8u));
}

std::vector<Variable> ModuleParser::parseParameters() {
  std::vector<Variable> result;
  tokens.expect('(');
  if (tokens.takeIf(')'))
    return result;
  do {
    if (!tokens.takeIf(".param"))
      tokens.unexpected(".param");
    Declaration declaration = parseDeclaration(tokens);
    result.push_back(parseVariable(tokens, Space::Parameter, declaration));
    if (result.back().count == 0)
      throw Error(result.back().line,
                  "parameter '" + result.back().name + "' has no size");
  } while (tokens.takeIf(','));
  tokens.expect(')');
  return result;
}

void ModuleParser::parseFunctionDirectives(Function &function) {
  constexpr uint64_t most = INT32_MAX;
  auto sizes = [&](uint32_t (&result)[3]) {
    result[1] = result[2] = 1;
    int i = 0;
    do
      result[i++] = uint32_t(tokens.integer("a size", 1, most));
    while (i < 3 && tokens.takeIf(','));
  };
  auto number = [&] { return uint32_t(tokens.integer("a number", 1, most)); };
  while (tokens.peek().kind == TokenKind::Name) {
    Token token = tokens.take();
    if (token.isName(".maxntid"))
      sizes(function.maxThreads);
    else if (token.isName(".reqntid"))
      sizes(function.requiredThreads);
    else if (token.isName(".reqnctapercluster"))
      sizes(function.requiredCluster);
    else if (token.isName(".minnctapersm"))
      function.minBlocks = number();
    else if (token.isName(".maxnreg"))
      function.maxRegisters = number();
    else if (token.isName(".maxclusterrank"))
      function.maxClusterRank = number();
    else if (token.isName(".explicitcluster"))
      function.isExplicitCluster = true;
    else if (token.isName(".noreturn"))
      function.isNoReturn = true;
    else if (token.isName(".pragma"))
      skipPragma(tokens);
    else
      throw Error(token.line, "'" + std::string(token.text) +
                                  "' is not known behind the parameters of a "
                                  "function");
  }
}

void ModuleParser::parseFunction(Linkage linkage, bool isEntry) {
  Function function;
  function.line = tokens.line();
  function.linkage = linkage;
  function.isEntry = isEntry;
  if (!isEntry && tokens.peek().is('('))
    function.results = parseParameters();
  function.name = tokens.name("the name of a function");
  if (tokens.peek().is('('))
    function.parameters = parseParameters();
  parseFunctionDirectives(function);
  auto found = module.functionNumbers.find(function.name);
  Function *before = found == module.functionNumbers.end()
                         ? nullptr
                         : &module.functions[found->second];
  bool hasBody = !tokens.takeIf(';');
  if (module.variableNumbers.contains(function.name) ||
      (before && hasBody && before->hasBody))
    throw Error(function.line, "'" + function.name + "' is declared twice");
  auto areAlike = [](const Variable &a, const Variable &b) {
    return a.size() == b.size() && a.alignment == b.alignment;
  };
  if (before &&
      (before->isEntry != isEntry ||
       !std::ranges::equal(before->results, function.results, areAlike) ||
       !std::ranges::equal(before->parameters, function.parameters, areAlike)))
    throw Error(function.line, "'" + function.name +
                                   "' was declared otherwise in line " +
                                   std::to_string(before->line));
  if (hasBody) {
    function.hasBody = true;
    FunctionParser(tokens, module, function).parse();
  } else if (before) {
    return; // Declared once more.
  }
  if (before) {
    *before = std::move(function);
  } else {
    module.functionNumbers[function.name] = uint32_t(module.functions.size());
    module.functions.push_back(std::move(function));
  }
}

} // namespace

Module parseModule(std::string_view source) {
  // A driver takes texts that end with a zero byte.
  while (source.ends_with('\0'))
    source.remove_suffix(1);
  Module module = ModuleParser(source).parse();
  module.source = source;
  return module;
}

std::string_view Module::lineOfSource(int line) const {
  std::string_view rest = source;
  for (; line > 1; --line) {
    size_t end = rest.find('\n');
    if (end == std::string_view::npos)
      return {};
    rest.remove_prefix(end + 1);
  }
  std::string_view text = rest.substr(0, rest.find('\n'));
  size_t first = text.find_first_not_of(" \t\r");
  size_t last = text.find_last_not_of(" \t\r");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, last - first + 1);
}

} // namespace ptx
