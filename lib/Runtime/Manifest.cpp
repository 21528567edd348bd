//===- Manifest.cpp - What the runtime knows of a compiled program --------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Runtime/Manifest.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

// The library is built without a need for exceptions: all accesses below check
// the type first.
#define JSON_NOEXCEPTION
#include <nlohmann/json.hpp>

using namespace mlir::diffattn::runtime;
using nlohmann::json;

static constexpr int64_t manifestVersion = 1;
static constexpr int64_t maxInt = std::numeric_limits<int64_t>::max();

namespace {
struct DTypeInfo {
  DType dtype;
  const char *name;
  unsigned bytes;
};
} // namespace

static constexpr DTypeInfo dtypes[] = {
    {DType::F16, "f16", 2}, {DType::BF16, "bf16", 2}, {DType::F32, "f32", 4},
    {DType::F64, "f64", 8}, {DType::I1, "i1", 1},     {DType::I8, "i8", 1},
    {DType::I16, "i16", 2}, {DType::I32, "i32", 4},   {DType::I64, "i64", 8}};

unsigned mlir::diffattn::runtime::getByteWidth(DType dtype) {
  return dtypes[static_cast<size_t>(dtype)].bytes;
}

const char *mlir::diffattn::runtime::stringifyDType(DType dtype) {
  return dtypes[static_cast<size_t>(dtype)].name;
}

std::optional<DType>
mlir::diffattn::runtime::parseDType(std::string_view text) {
  for (const DTypeInfo &info : dtypes)
    if (text == info.name)
      return info.dtype;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {
/// Reads fields of objects and remembers the first mistake; after one, what the
/// functions return no longer matters.
class Parser {
public:
  Parser(const json &root, Manifest &manifest)
      : root(root), manifest(manifest) {}

  /// Fills in the manifest. Returns what is wrong with the text, or "".
  std::string parse();

private:
  void fail(const std::string &what) {
    if (error.empty())
      error = what;
  }

  /// The field of an object, or null if it is absent.
  static const json *find(const json &object, const char *key) {
    auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
  std::string getString(const json &object, const char *key,
                        const std::string &where);
  /// An integer in [min, max]; `fallback` (if any) for an absent field.
  int64_t getInt(const json &object, const char *key, const std::string &where,
                 int64_t min, int64_t max = maxInt,
                 std::optional<int64_t> fallback = std::nullopt);
  /// The objects of a list.
  std::vector<const json *> getObjects(const json &object, const char *key,
                                       const std::string &where,
                                       bool optional = false);
  DimRef getDimRef(const json &object, const std::string &where);
  DimRef checkDimRef(int64_t argument, int64_t dim, const std::string &where);

  void parseParameter(const json &object);
  void parseKernel(const json &object);
  KernelParameter parseKernelParameter(const json &element,
                                       const std::string &where);
  TensorMapDescription parseTensorMap(const json &object, unsigned argument,
                                      const std::string &where);
  /// The integers in [min, max] of a list.
  std::vector<int64_t> getInts(const json &object, const char *key,
                               const std::string &where, int64_t min,
                               int64_t max);
  void parsePrecondition(const json &object);
  void parseEqual(const json &lists);
  /// Where the manifest is: the files that it names are beside it.
  std::string getFolder();
  void parseImage();

  const json &root;
  Manifest &manifest;
  std::string error;
};
} // namespace

std::string Parser::getString(const json &object, const char *key,
                              const std::string &where) {
  const json *value = find(object, key);
  if (!value || !value->is_string()) {
    fail(where + " needs a string '" + key + "'");
    return "";
  }
  return value->get_ref<const std::string &>();
}

int64_t Parser::getInt(const json &object, const char *key,
                       const std::string &where, int64_t min, int64_t max,
                       std::optional<int64_t> fallback) {
  const json *value = find(object, key);
  if (!value && fallback)
    return *fallback;
  // Numbers that 64 bits cannot hold are floating-point or unsigned.
  bool isInt = value && value->is_number_integer() &&
               (!value->is_number_unsigned() ||
                value->get<uint64_t>() <= static_cast<uint64_t>(maxInt));
  if (isInt && value->get<int64_t>() >= min && value->get<int64_t>() <= max)
    return value->get<int64_t>();
  fail(where + " needs an integer '" + key + "' of at least " +
       std::to_string(min) +
       (max == maxInt ? "" : " and at most " + std::to_string(max)));
  return min;
}

std::vector<const json *> Parser::getObjects(const json &object,
                                             const char *key,
                                             const std::string &where,
                                             bool optional) {
  std::vector<const json *> objects;
  const json *list = find(object, key);
  if (!list && optional)
    return objects;
  if (!list || !list->is_array()) {
    fail(where + " needs a list '" + key + "'");
    return objects;
  }
  for (const json &element : *list) {
    if (element.is_object())
      objects.push_back(&element);
    else
      fail("the elements of '" + std::string(key) + "' must be objects");
  }
  return objects;
}

DimRef Parser::checkDimRef(int64_t argument, int64_t dim,
                           const std::string &where) {
  if (argument < 0 || dim < 0 ||
      argument >= static_cast<int64_t>(manifest.parameters.size()) ||
      dim >= static_cast<int64_t>(manifest.parameters[argument].shape.size())) {
    fail(where + " refers to dimension " + std::to_string(dim) +
         " of argument " + std::to_string(argument) + ", which does not exist");
    return {};
  }
  return {static_cast<unsigned>(argument), static_cast<unsigned>(dim)};
}

DimRef Parser::getDimRef(const json &object, const std::string &where) {
  int64_t argument = getInt(object, "argument", where, 0);
  int64_t dim = getInt(object, "dim", where, 0);
  if (!error.empty())
    return {};
  return checkDimRef(argument, dim, where);
}

void Parser::parseParameter(const json &object) {
  Parameter parameter;
  parameter.name = getString(object, "name", "a parameter");
  const std::string where = "parameter '" + parameter.name + "'";
  std::string dtype = getString(object, "dtype", where);
  if (std::optional<DType> known = parseDType(dtype))
    parameter.dtype = *known;
  else
    fail(where + " has an unknown dtype '" + dtype + "'");
  const json *shape = find(object, "shape");
  if (!shape || !shape->is_array()) {
    fail(where + " needs a list 'shape'");
    return;
  }
  for (const json &size : *shape) {
    if (size.is_null())
      parameter.shape.push_back(dynamicSize);
    else if (size.is_number_unsigned() &&
             size.get<uint64_t>() <= static_cast<uint64_t>(maxInt))
      parameter.shape.push_back(size.get<int64_t>());
    else
      fail(where + " has a size that is neither null nor a natural number");
  }
  std::string access = getString(object, "access", where);
  if (access != "read" && access != "write" && access != "readwrite")
    fail(where + " has an access '" + access +
         "' that is not read, write or readwrite");
  parameter.isWritten = access != "read";
  parameter.alignment = getInt(object, "alignment", where, 1, maxInt, 1);
  parameter.strideMultiple =
      getInt(object, "stride_multiple", where, 1, maxInt, 1);
  manifest.parameters.push_back(std::move(parameter));
}

std::vector<int64_t> Parser::getInts(const json &object, const char *key,
                                     const std::string &where, int64_t min,
                                     int64_t max) {
  std::vector<int64_t> values;
  const json *list = find(object, key);
  bool isGood = list && list->is_array();
  for (size_t i = 0; isGood && i < list->size(); ++i) {
    const json &value = (*list)[i];
    isGood = value.is_number_unsigned() &&
             value.get<uint64_t>() >= static_cast<uint64_t>(min) &&
             value.get<uint64_t>() <= static_cast<uint64_t>(max);
    if (isGood)
      values.push_back(value.get<int64_t>());
  }
  if (!isGood)
    fail(where + " needs a list '" + key + "' of integers of at least " +
         std::to_string(min) + " and at most " + std::to_string(max));
  return values;
}

TensorMapDescription Parser::parseTensorMap(const json &object,
                                            unsigned argument,
                                            const std::string &where) {
  constexpr size_t maxRank = 5;
  constexpr int64_t maxBox = 256;
  const Parameter &parameter = manifest.parameters[argument];
  const int64_t last = static_cast<int64_t>(parameter.shape.size()) - 1;
  TensorMapDescription map;
  for (int64_t dim :
       getInts(object, "dims", where, 0, std::max(last, int64_t(0))))
    map.dims.push_back(static_cast<unsigned>(dim));
  for (int64_t size : getInts(object, "box", where, 1, maxBox))
    map.box.push_back(static_cast<uint32_t>(size));
  map.swizzle = getInt(object, "swizzle", where, 0, 128, 0);
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 &&
      map.swizzle != 128)
    fail(where + " has a swizzle that is not 0, 32, 64 or 128");
  if (map.dims.size() != parameter.shape.size() ||
      map.box.size() != parameter.shape.size() || map.dims.size() > maxRank ||
      map.dims.empty() || map.dims.front() != last)
    fail(where + " needs 'dims' and 'box' for all dimensions of " +
         parameter.name + ", at most 5, its last one first");
  if (parameter.dtype != DType::F16 && parameter.dtype != DType::BF16 &&
      parameter.dtype != DType::F32)
    fail(where + " is of a dtype that has no tensor maps, " +
         stringifyDType(parameter.dtype));
  return map;
}

KernelParameter Parser::parseKernelParameter(const json &element,
                                             const std::string &where) {
  KernelParameter parameter;
  if (element.is_object() && find(element, "counters")) {
    getInt(element, "counters", where, numCounters, numCounters);
    parameter.isCounters = true;
    return parameter;
  }
  if (element.is_object()) {
    const std::string map = "a tensor map of " + where;
    parameter.argument = getInt(element, "tensor_map", map, 0);
    if (error.empty() && parameter.argument >= manifest.parameters.size())
      fail(map + " is of an argument that does not exist");
    if (error.empty())
      parameter.map = parseTensorMap(element, parameter.argument, map);
    return parameter;
  }
  if (element.is_number_unsigned() &&
      element.get<uint64_t>() < manifest.parameters.size())
    parameter.argument = element.get<unsigned>();
  else
    fail(where + " takes an argument that does not exist");
  return parameter;
}

void Parser::parseKernel(const json &object) {
  // What every supported chip allows, and what the launch takes.
  constexpr int64_t maxThreads = 1024, maxShared = 1 << 20;
  KernelDescription kernel;
  kernel.name = getString(object, "name", "a kernel");
  const std::string where = "kernel '" + kernel.name + "'";
  const std::string grid = "the grid of " + where;
  kernel.threads = getInt(object, "threads", where, 1, maxThreads);
  kernel.sharedBytes = getInt(object, "shared_bytes", where, 0, maxShared, 0);
  for (const json *element : getObjects(object, "grid", where)) {
    GridFactor factor;
    if (find(*element, "constant")) {
      factor.constant = getInt(*element, "constant", grid, 0);
    } else {
      factor.size = getDimRef(*element, grid);
      factor.tile = getInt(*element, "tile", grid, 1, maxInt, 1);
    }
    kernel.grid.push_back(factor);
  }
  if (const json *persistent = find(object, "persistent")) {
    if (persistent->is_boolean())
      kernel.isPersistent = persistent->get<bool>();
    else
      fail(where + " needs a truth value 'persistent'");
  }
  constexpr int64_t maxCluster = 8; // on every chip that has clusters
  kernel.cluster = getInt(object, "cluster", where, 1, maxCluster, 1);
  const json *parameters = find(object, "parameters");
  if (!parameters || !parameters->is_array()) {
    fail(where + " needs a list 'parameters'");
    return;
  }
  for (const json &parameter : *parameters) {
    // Which implies that there are no others.
    if (!kernel.parameters.empty() && kernel.parameters.back().isCounters)
      fail(where + " has counters that are not its last parameter");
    kernel.parameters.push_back(parseKernelParameter(parameter, where));
  }
  manifest.kernels.push_back(std::move(kernel));
}

void Parser::parseEqual(const json &lists) {
  std::vector<DimRef> dims;
  if (!lists.is_array())
    return fail("'equal' must be a list of [argument, dimension]");
  for (const json &pair : lists) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer() ||
        !pair[1].is_number_integer())
      return fail("'equal' must be a list of [argument, dimension]");
    dims.push_back(checkDimRef(pair[0].get<int64_t>(), pair[1].get<int64_t>(),
                               "a precondition"));
  }
  manifest.equal.push_back(std::move(dims));
}

void Parser::parsePrecondition(const json &object) {
  if (const json *lists = find(object, "equal"))
    return parseEqual(*lists);
  // What is not understood cannot be checked, and must not pass.
  for (auto it = object.begin(); it != object.end(); ++it) {
    const std::string &key = it.key();
    if (key != "argument" && key != "dim" && key != "min" && key != "max" &&
        key != "multiple")
      return fail("there is a precondition on '" + key +
                  "', which this runtime does not know");
  }
  SizePrecondition size;
  size.size = getDimRef(object, "a precondition");
  size.min = getInt(object, "min", "a precondition", 0, maxInt, 0);
  size.max = getInt(object, "max", "a precondition", 0, maxInt, maxInt);
  size.multiple = getInt(object, "multiple", "a precondition", 1, maxInt, 1);
  manifest.sizes.push_back(size);
}

std::string Parser::getFolder() {
  size_t slash = manifest.path.rfind('/');
  return slash == std::string::npos ? "" : manifest.path.substr(0, slash + 1);
}

void Parser::parseImage() {
  const json *image = find(root, "image");
  if (!image || !image->is_object())
    return fail("the manifest needs an object 'image'");
  const std::string folder = getFolder();
  if (find(*image, "ptx"))
    manifest.ptx = folder + getString(*image, "ptx", "'image'");
  if (const json *cubin = find(*image, "cubin")) {
    // One file, for the target, or one a chip.
    if (cubin->is_object()) {
      for (auto it = cubin->begin(); it != cubin->end(); ++it)
        manifest.cubins[it.key()] =
            folder + getString(*cubin, it.key().c_str(), "'cubin'");
    } else {
      manifest.cubins[manifest.target] =
          folder + getString(*image, "cubin", "'image'");
    }
  }
  if (manifest.ptx.empty() && manifest.cubins.empty())
    fail("'image' names neither a PTX file nor a cubin");
}

std::string Parser::parse() {
  const std::string where = "the manifest";
  if (!root.is_object())
    return "the manifest is not a JSON object";
  int64_t version = getInt(root, "version", where, 1);
  if (error.empty() && version != manifestVersion)
    return "the manifest has version " + std::to_string(version) +
           ", but this runtime reads version " +
           std::to_string(manifestVersion);
  manifest.target = getString(root, "target", where);
  manifest.entry = getString(root, "entry", where);
  for (const json *parameter : getObjects(root, "parameters", where))
    parseParameter(*parameter);
  // The rest refers to parameters.
  if (!error.empty())
    return error;
  for (const json *kernel : getObjects(root, "kernels", where))
    parseKernel(*kernel);
  for (const json *precondition :
       getObjects(root, "preconditions", where, /*optional=*/true))
    parsePrecondition(*precondition);
  if (const json *equal = find(root, "equal")) {
    if (!equal->is_array())
      fail("'equal' must be a list of lists");
    else
      for (const json &list : *equal)
        parseEqual(list);
  }
  parseImage();
  if (find(root, "fallback"))
    manifest.fallback = getFolder() + getString(root, "fallback", where);
  return error;
}

Result<Manifest> Manifest::parse(const std::string &text,
                                 const std::string &path) {
  json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded())
    return Status(ErrorKind::BadManifest,
                  "cannot read '" + path + "': it is not valid JSON");
  Manifest manifest;
  manifest.path = path;
  std::string error = Parser(root, manifest).parse();
  if (!error.empty())
    return Status(ErrorKind::BadManifest,
                  "cannot read '" + path + "': " + error);
  return manifest;
}

Result<Manifest> Manifest::read(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file)
    return Status(ErrorKind::BadManifest,
                  "cannot read '" + path +
                      "': there is no such file, or it cannot be opened");
  return parse(text, path);
}

//===----------------------------------------------------------------------===//
// Shapes and images
//===----------------------------------------------------------------------===//

Status Manifest::inferShapes(std::vector<std::vector<int64_t>> &shapes) const {
  if (shapes.size() != parameters.size())
    return Status(ErrorKind::BadArgument,
                  "'" + entry + "' takes " + std::to_string(parameters.size()) +
                      " arguments, but got " + std::to_string(shapes.size()));
  for (size_t i = 0; i < shapes.size(); ++i)
    if (shapes[i].empty())
      shapes[i] = parameters[i].shape;
    else if (shapes[i].size() != parameters[i].shape.size())
      return Status(ErrorKind::BadArgument,
                    parameters[i].name + " has rank " +
                        std::to_string(shapes[i].size()) + ", expected " +
                        std::to_string(parameters[i].shape.size()));
  for (const std::vector<DimRef> &dims : equal) {
    int64_t size = dynamicSize;
    for (DimRef ref : dims)
      size = std::max(size, shapes[ref.argument][ref.dim]);
    for (DimRef ref : dims)
      if (shapes[ref.argument][ref.dim] == dynamicSize)
        shapes[ref.argument][ref.dim] = size;
  }
  for (size_t i = 0; i < shapes.size(); ++i)
    for (size_t dim = 0; dim < shapes[i].size(); ++dim)
      if (shapes[i][dim] == dynamicSize)
        return Status(ErrorKind::BadArgument,
                      "the size of dimension " + std::to_string(dim) + " of " +
                          parameters[i].name +
                          " does not follow from the other arguments");
  return Status();
}

namespace {
/// A chip name taken apart: sm_90a is 9, 0, 'a'.
struct Chip {
  int major = 0, minor = 0;
  /// 'a': this very chip; 'f': its family; 0: later ones as well.
  char suffix = 0;
};
} // namespace

static std::optional<Chip> parseChip(const std::string &name) {
  if (name.rfind("sm_", 0) != 0)
    return std::nullopt;
  char *end = nullptr;
  long number = std::strtol(name.c_str() + 3, &end, 10);
  Chip chip{static_cast<int>(number / 10), static_cast<int>(number % 10), *end};
  if (number < 10 || number > 9999 || (*end && end[1]))
    return std::nullopt;
  return chip;
}

/// Machine code runs on its major version from its minor version on.
static bool runsCubin(const Chip &chip, ComputeCapability device) {
  if (chip.major != device.major)
    return false;
  return chip.suffix == 'a' ? chip.minor == device.minor
                            : chip.minor <= device.minor;
}

/// PTX can be compiled for all later chips, unless its target is specific.
static bool compilesPtx(const Chip &chip, ComputeCapability device) {
  if (chip.suffix)
    return runsCubin(chip, device);
  return chip.major < device.major ||
         (chip.major == device.major && chip.minor <= device.minor);
}

std::optional<std::string>
Manifest::selectImage(ComputeCapability device) const {
  // The closest machine code: the one with the greatest minor version.
  const std::string *best = nullptr;
  int bestMinor = -1;
  for (const auto &[name, file] : cubins) {
    std::optional<Chip> chip = parseChip(name);
    if (chip && runsCubin(*chip, device) && chip->minor > bestMinor) {
      best = &file;
      bestMinor = chip->minor;
    }
  }
  if (best)
    return *best;
  std::optional<Chip> chip = parseChip(target);
  if (!ptx.empty() && chip && compilesPtx(*chip, device))
    return ptx;
  return std::nullopt;
}
