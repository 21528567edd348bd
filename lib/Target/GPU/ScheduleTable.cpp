//===- ScheduleTable.cpp - Schedules that were measured -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/ScheduleTable.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir::diffattn;
namespace json = llvm::json;

/// The table in the source tree, as text.
static constexpr llvm::StringLiteral builtinTable =
#include "ScheduleTable.inc"
    ;

//===----------------------------------------------------------------------===//
// Classes of shapes
//===----------------------------------------------------------------------===//

bool GPUShapeClass::operator==(const GPUShapeClass &other) const {
  auto tie = [](const GPUShapeClass &c) {
    return std::tie(c.branches, c.headDim, c.valueDim, c.mask, c.window,
                    c.length);
  };
  return tie(*this) == tie(other);
}

/// The class of sizes up to a power of two that `size` is in.
static int64_t getSizeClass(int64_t size) {
  return llvm::PowerOf2Ceil(std::max<int64_t>(size, 1));
}

GPUShapeClass mlir::diffattn::getShapeClass(const GPUProblem &problem) {
  GPUShapeClass shape{problem.branches, problem.headDim, problem.valueDim,
                      problem.masked ? "causal" : "none"};
  if (problem.window) {
    shape.mask = "window";
    shape.window = getSizeClass(*problem.window);
  }
  if (problem.queryLength)
    shape.length = getSizeClass(*problem.queryLength);
  return shape;
}

/// An attention of the class, to judge a schedule by.
static GPUProblem getProblem(const GPUShapeClass &shape,
                             const GPUSchedule &schedule) {
  GPUProblem problem{shape.branches,      std::max<int64_t>(schedule.pairs, 1),
                     shape.headDim,       shape.valueDim,
                     std::nullopt,        std::nullopt,
                     shape.mask != "none"};
  if (shape.window)
    problem.window = shape.window;
  if (shape.length)
    problem.queryLength = shape.length;
  return problem;
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

void mlir::diffattn::printShapeClass(json::OStream &json,
                                     const GPUShapeClass &shape) {
  json.attribute("branches", shape.branches);
  json.attribute("head_dim", shape.headDim);
  json.attribute("value_dim", shape.valueDim);
  json.attribute("mask", shape.mask);
  if (shape.window)
    json.attribute("window", shape.window);
  if (shape.length)
    json.attribute("length", shape.length);
}

void mlir::diffattn::printSchedule(json::OStream &json,
                                   const GPUSchedule &schedule) {
  for (const GPUScheduleField &field : getScheduleFields())
    if (int64_t value = schedule.*field.member)
      json.attribute(field.name, value);
  if (!schedule.order.empty())
    json.attribute("order", schedule.order);
}

//===----------------------------------------------------------------------===//
// Input
//===----------------------------------------------------------------------===//

namespace {
/// Reads the members of a JSON object; tells the first one that is wrong. Those
/// that nobody has read in the end are misspelt.
class ObjectReader {
public:
  ObjectReader(const json::Value &value, llvm::StringRef name = "")
      : object(value.getAsObject()),
        prefix(name.empty() ? "" : name.str() + ".") {
    if (!object)
      setError("expects an object" +
               (name.empty() ? "" : " as '" + name.str() + "'"));
  }

  /// What was expected and where; empty if nothing is wrong.
  std::string takeError() {
    if (object)
      for (const auto &[key, value] : *object)
        if (!llvm::is_contained(taken, llvm::StringRef(key)))
          setError("has unknown '" + prefix + key.str() + "'");
    return std::move(error);
  }
  void setError(const llvm::Twine &message) {
    if (error.empty())
      error = message.str();
  }
  void expect(llvm::StringRef what, llvm::StringRef name) {
    setError("expects " + what + " as '" + prefix + name + "'");
  }

  std::string getString(llvm::StringRef name, bool optional = false) {
    const json::Value *value = take(name);
    std::optional<llvm::StringRef> text;
    if (value)
      text = value->getAsString();
    if (!text && (value || !optional))
      expect("a string", name);
    return text.value_or("").str();
  }
  /// 0 if it is not there.
  int64_t getSize(llvm::StringRef name, bool optional = false) {
    const json::Value *value = take(name);
    std::optional<int64_t> size;
    if (value)
      size = value->getAsInteger();
    if (size.value_or(0) <= 0 && (value || !optional))
      expect("a positive integer", name);
    return size.value_or(0);
  }
  double getNumber(llvm::StringRef name) {
    const json::Value *value = take(name);
    std::optional<double> number;
    if (value)
      number = value->getAsNumber();
    if (!number)
      expect("a number", name);
    return number.value_or(0);
  }
  /// What is written for people.
  void ignore(llvm::StringRef name) { take(name); }
  /// Null if it is not there.
  const json::Value *getValue(llvm::StringRef name) {
    const json::Value *value = take(name);
    if (!value)
      expect("an object", name);
    return value;
  }

private:
  const json::Value *take(llvm::StringRef name) {
    taken.push_back(name);
    return object ? object->get(name) : nullptr;
  }

  const json::Object *object;
  std::string prefix, error;
  llvm::SmallVector<llvm::StringRef> taken;
};
} // namespace

static GPUShapeClass readShape(ObjectReader &reader) {
  GPUShapeClass shape;
  shape.branches = reader.getSize("branches");
  shape.headDim = reader.getSize("head_dim");
  shape.valueDim = reader.getSize("value_dim");
  shape.mask = reader.getString("mask");
  shape.window = reader.getSize("window", /*optional=*/shape.mask != "window");
  shape.length = reader.getSize("length", /*optional=*/true);
  if (shape.branches > 2)
    reader.expect("1 or 2", "branches");
  for (auto [name, size] :
       {std::pair("head_dim", shape.headDim), {"value_dim", shape.valueDim}})
    if (!llvm::is_contained(getGPUHeadDims(), size))
      reader.expect("64, 96, 128, 192 or 256", name);
  if (!llvm::is_contained({"none", "causal", "window"}, shape.mask))
    reader.expect("\"none\", \"causal\" or \"window\"", "mask");
  if (shape.window && shape.mask != "window")
    reader.setError("has a 'window' without mask \"window\"");
  for (auto [name, size] :
       {std::pair("window", shape.window), {"length", shape.length}})
    if (size && !llvm::isPowerOf2_64(size))
      reader.expect("a power of two", name);
  return shape;
}

static GPUSchedule readSchedule(ObjectReader &row, const json::Value &value) {
  ObjectReader reader(value, "schedule");
  GPUSchedule schedule;
  for (const GPUScheduleField &field : getScheduleFields())
    schedule.*field.member = reader.getSize(field.name, /*optional=*/true);
  schedule.order = reader.getString("order", /*optional=*/true);
  if (!llvm::is_contained({"", "overlap", "turns", "sections"}, schedule.order))
    reader.expect("\"overlap\", \"turns\" or \"sections\"", "order");
  if (std::string error = reader.takeError(); !error.empty())
    row.setError(error);
  return schedule;
}

/// The figures that a row was chosen by. What else there is, is for people.
static void readMeasurement(ObjectReader &reader, const json::Value &value,
                            ScheduleRow &row) {
  ObjectReader measured(value, "measured");
  row.device = measured.getString("device");
  row.date = measured.getString("date");
  row.tflops = measured.getNumber("tflops");
  for (llvm::StringRef note : {"runner_up", "mhz", "watts", "cases"})
    measured.ignore(note);
  if (std::string error = measured.takeError(); !error.empty())
    reader.setError(error);
}

/// Legal and complete.
static std::string checkRow(const ScheduleRow &row) {
  llvm::Expected<const GPUTarget *> target = lookupGPUTarget(row.target);
  if (!target)
    return "has " + llvm::toString(target.takeError());
  llvm::Expected<GPUScheduleChoice> choice = chooseSchedule(
      **target, getProblem(row.shape, row.schedule), row.schedule);
  if (!choice)
    return llvm::toString(choice.takeError());
  if (choice->schedule != row.schedule)
    return "expects a whole schedule, such as " + choice->schedule.str();
  return "";
}

llvm::Expected<ScheduleTable> ScheduleTable::parse(llvm::StringRef text,
                                                   llvm::StringRef file) {
  llvm::Expected<json::Value> value = json::parse(text);
  if (!value)
    return llvm::createStringError("schedule table '" + file +
                                   "': " + llvm::toString(value.takeError()));
  const json::Array *array = value->getAsArray();
  if (!array)
    return llvm::createStringError("schedule table '" + file +
                                   "': expects an array of rows");
  ScheduleTable table;
  for (auto [i, element] : llvm::enumerate(*array)) {
    ScheduleRow row;
    row.where =
        ("row " + llvm::Twine(i + 1) + " of schedule table '" + file + "'")
            .str();
    ObjectReader reader(element);
    row.target = reader.getString("target");
    row.shape = readShape(reader);
    if (const json::Value *schedule = reader.getValue("schedule"))
      row.schedule = readSchedule(reader, *schedule);
    if (const json::Value *measured = reader.getValue("measured"))
      readMeasurement(reader, *measured, row);
    std::string error = reader.takeError();
    if (error.empty())
      error = checkRow(row);
    for (const ScheduleRow &other : table.rows)
      if (error.empty() && other.target == row.target &&
          other.shape == row.shape)
        error = "is for the same as " + other.where;
    if (!error.empty())
      return llvm::createStringError(row.where + ": " + error);
    table.rows.push_back(std::move(row));
  }
  return table;
}

llvm::Expected<ScheduleTable> ScheduleTable::load(llvm::StringRef file) {
  if (file.empty())
    return parse(builtinTable, "ScheduleTable.json");
  if (file == "none")
    return ScheduleTable();
  auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/true);
  if (!buffer)
    return llvm::createStringError("cannot read schedule table '" + file +
                                   "': " + buffer.getError().message());
  return parse((*buffer)->getBuffer(), file);
}

const ScheduleRow *ScheduleTable::find(const GPUTarget &target,
                                       const GPUProblem &problem) const {
  GPUShapeClass shape = getShapeClass(problem);
  auto get = [&]() -> const ScheduleRow * {
    for (const ScheduleRow &row : rows)
      if (row.target == target.name && row.shape == shape)
        return &row;
    return nullptr;
  };
  const ScheduleRow *row = get();
  if (row || !shape.length || hasShortQuery(problem))
    return row;
  shape.length = 0;
  return get();
}
