//===- ManifestTest.cpp - Reading manifests -------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeTest.h"

using namespace mlir::diffattn::runtime;

/// The message about a manifest without its path.
static std::string getError(const std::string &text) {
  Result<Manifest> manifest = Manifest::parse(text, "dir/m.json");
  if (manifest)
    return "";
  EXPECT_EQ(manifest.getStatus().getKind(), ErrorKind::BadManifest);
  const std::string prefix = "cannot read 'dir/m.json': ";
  const std::string message = manifest.getStatus().getMessage();
  EXPECT_EQ(message.rfind(prefix, 0), 0u) << message;
  return message.substr(prefix.size());
}

/// The message about manifestText with a change.
static std::string getError(const std::string &from, const std::string &to) {
  return getError(replaced(manifestText, from, to));
}

TEST(Manifest, Reads) {
  Result<Manifest> manifest = Manifest::parse(manifestText, "dir/m.json");
  ASSERT_TRUE(manifest) << manifest.getStatus().getMessage();
  EXPECT_EQ(manifest->target, "sm_80");
  EXPECT_EQ(manifest->entry, "attention");
  EXPECT_EQ(manifest->ptx, "dir/attention.ptx");
  EXPECT_EQ(manifest->cubins.at("sm_80"), "dir/attention.cubin");
  ASSERT_EQ(manifest->parameters.size(), 3u);
  const Parameter &query = manifest->parameters[0];
  EXPECT_EQ(query.name, "query");
  EXPECT_EQ(query.dtype, DType::BF16);
  EXPECT_EQ(query.shape,
            (std::vector<int64_t>{dynamicSize, dynamicSize, 8, 64}));
  EXPECT_EQ(query.alignment, 16);
  EXPECT_EQ(query.strideMultiple, 8);
  EXPECT_FALSE(query.isWritten);
  EXPECT_TRUE(manifest->parameters[2].isWritten);
  ASSERT_EQ(manifest->kernels.size(), 1u);
  const KernelDescription &kernel = manifest->kernels[0];
  EXPECT_EQ(kernel.name, "kernel0");
  EXPECT_EQ(kernel.threads, 128u);
  EXPECT_EQ(kernel.sharedBytes, 65536u);
  ASSERT_EQ(kernel.parameters.size(), 3u);
  EXPECT_EQ(kernel.parameters[1].argument, 1u);
  EXPECT_FALSE(kernel.parameters[1].map);
  ASSERT_EQ(kernel.grid.size(), 3u);
  EXPECT_EQ(kernel.grid[0].tile, 1);
  EXPECT_FALSE(kernel.grid[1].size);
  EXPECT_EQ(kernel.grid[1].constant, 4);
  EXPECT_EQ(kernel.grid[2].size->dim, 1u);
  EXPECT_EQ(kernel.grid[2].tile, 64);
  EXPECT_EQ(manifest->equal.size(), 2u);
  EXPECT_EQ(manifest->fallback, "");
}

TEST(Manifest, ReadsWhereTheFallbackIs) {
  Result<Manifest> manifest =
      Manifest::parse(replaced(manifestText, "\"version\": 1",
                               "\"version\": 1, \"fallback\": \"other.json\""),
                      "dir/m.json");
  ASSERT_TRUE(manifest) << manifest.getStatus().getMessage();
  EXPECT_EQ(manifest->fallback, "dir/other.json");
  EXPECT_EQ(getError("\"version\": 1", "\"version\": 1, \"fallback\": 3"),
            "the manifest needs a string 'fallback'");
}

TEST(Manifest, ReadsRangesAndEqualSizesBesideThePreconditions) {
  Result<Manifest> manifest = Manifest::parse(
      replaced(replaced(manifestText, "\"preconditions\": [",
                        "\"equal\": [[[1, 0], [2, 0]]], \"preconditions\": [{"
                        "\"argument\": 0, \"dim\": 1, \"min\": 1, \"max\": 8, "
                        "\"multiple\": 2}, "),
               "\"cubin\": \"attention.cubin\"",
               "\"cubin\": {\"sm_90\": \"a\", \"sm_86\": \"b\"}"),
      "m.json");
  ASSERT_TRUE(manifest) << manifest.getStatus().getMessage();
  EXPECT_EQ(manifest->equal.size(), 3u);
  ASSERT_EQ(manifest->sizes.size(), 1u);
  EXPECT_EQ(manifest->sizes[0].min, 1);
  EXPECT_EQ(manifest->sizes[0].max, 8);
  EXPECT_EQ(manifest->sizes[0].multiple, 2);
  EXPECT_EQ(manifest->cubins.size(), 2u);
  EXPECT_EQ(manifest->cubins.at("sm_86"), "b");
}

TEST(Manifest, SaysWhatIsWrong) {
  EXPECT_EQ(getError("{\"a\": "), "it is not valid JSON");
  EXPECT_EQ(getError("[]"), "the manifest is not a JSON object");
  EXPECT_EQ(getError("\"version\": 1", "\"version\": 7"),
            "the manifest has version 7, but this runtime reads version 1");
  EXPECT_EQ(getError("\"version\": 1", "\"version\": \"1\""),
            "the manifest needs an integer 'version' of at least 1");
  EXPECT_EQ(getError("\"sm_80\"", "80"),
            "the manifest needs a string 'target'");
  EXPECT_EQ(getError("\"bf16\"", "\"bf17\""),
            "parameter 'query' has an unknown dtype 'bf17'");
  EXPECT_EQ(getError("[null, null, 8, 64]", "[null, -1, 8, 64]"),
            "parameter 'query' has a size that is neither null nor a natural "
            "number");
  EXPECT_EQ(getError("\"read\"", "\"peek\""),
            "parameter 'query' has an access 'peek' that is not read, write or "
            "readwrite");
  EXPECT_EQ(getError("\"alignment\": 16", "\"alignment\": 0"),
            "parameter 'query' needs an integer 'alignment' of at least 1");
  EXPECT_EQ(getError("\"threads\": 128", "\"threads\": 4096"),
            "kernel 'kernel0' needs an integer 'threads' of at least 1 and at "
            "most 1024");
  EXPECT_EQ(
      getError("\"tile\": 64", "\"tile\": 0"),
      "the grid of kernel 'kernel0' needs an integer 'tile' of at least 1");
  EXPECT_EQ(
      getError("\"tile\": 64", "\"tile\": 1e30"),
      "the grid of kernel 'kernel0' needs an integer 'tile' of at least 1");
  EXPECT_EQ(
      getError("\"tile\": 64", "\"tile\": 18446744073709551615"),
      "the grid of kernel 'kernel0' needs an integer 'tile' of at least 1");
  EXPECT_EQ(
      getError("{\"argument\": 0, \"dim\": 0}",
               "{\"argument\": 3, \"dim\": 0}"),
      "the grid of kernel 'kernel0' refers to dimension 0 of argument 3, which "
      "does not exist");
  EXPECT_EQ(getError("\"parameters\": [0, 1, 2]", "\"parameters\": [0, 3]"),
            "kernel 'kernel0' takes an argument that does not exist");
  EXPECT_EQ(getError("\"threads\": 128", "\"threads\": 1, \"persistent\": 1"),
            "kernel 'kernel0' needs a truth value 'persistent'");
  EXPECT_EQ(getError("\"threads\": 128", "\"threads\": 1, \"cluster\": 9"),
            "kernel 'kernel0' needs an integer 'cluster' of at least 1 and at "
            "most 8");
  EXPECT_EQ(
      getError("[2, 0]", "[2, 4]"),
      "a precondition refers to dimension 4 of argument 2, which does not "
      "exist");
  EXPECT_EQ(getError("[2, 0]", "[2]"),
            "'equal' must be a list of [argument, dimension]");
  EXPECT_EQ(getError("{\"equal\": [[0, 1], [2, 1]]}", "{\"phase\": \"full\"}"),
            "there is a precondition on 'phase', which this runtime does not "
            "know");
  EXPECT_EQ(getError("{\"ptx\": \"attention.ptx\", \"cubin\": "
                     "\"attention.cubin\"}",
                     "{}"),
            "'image' names neither a PTX file nor a cubin");
  EXPECT_EQ(getError("\"kernels\": [{", "\"kernels\": [1, {"),
            "the elements of 'kernels' must be objects");
  EXPECT_EQ(getError("\"shape\": [null, null, 8, 64]", "\"shape\": 4"),
            "parameter 'query' needs a list 'shape'");
  EXPECT_EQ(getError("\"parameters\": [0, 1, 2]", "\"parameters\": 3"),
            "kernel 'kernel0' needs a list 'parameters'");
  EXPECT_EQ(getError("\"image\": {", "\"picture\": {"),
            "the manifest needs an object 'image'");
  EXPECT_EQ(getError("\"version\": 1", "\"version\": 1, \"equal\": 1"),
            "'equal' must be a list of lists");
}

/// The message about a tensor map in place of the first parameter.
static std::string getMapError(const std::string &map) {
  return getError("[0, 1, 2]", "[" + map + ", 1, 2]");
}

TEST(Manifest, ReadsTensorMaps) {
  Result<Manifest> manifest = Manifest::parse(
      replaced(manifestText, "[0, 1, 2]",
               "[{\"tensor_map\": 0, \"dims\": [3, 1, 2, 0], \"box\": [64, 8, "
               "2, 1], \"swizzle\": 128}, 2]"),
      "m.json");
  ASSERT_TRUE(manifest) << manifest.getStatus().getMessage();
  const KernelParameter &parameter = manifest->kernels[0].parameters[0];
  EXPECT_EQ(parameter.argument, 0u);
  ASSERT_TRUE(parameter.map);
  EXPECT_EQ(parameter.map->dims, (std::vector<unsigned>{3, 1, 2, 0}));
  EXPECT_EQ(parameter.map->box, (std::vector<uint32_t>{64, 8, 2, 1}));
  EXPECT_EQ(parameter.map->swizzle, 128u);

  const std::string where = "a tensor map of kernel 'kernel0'";
  EXPECT_EQ(getError(replaced(
                replaced(manifestText, "\"bf16\"", "\"i32\""), "[0, 1, 2]",
                "[{\"tensor_map\": 0, \"dims\": [3, 1, 2, 0], \"box\": [64, "
                "8, 2, 1], \"swizzle\": 128}, 2]")),
            where + " is of a dtype that has no tensor maps, i32");
  EXPECT_EQ(getMapError("{\"tensor_map\": 7}"),
            where + " is of an argument that does not exist");
  EXPECT_EQ(getMapError("{\"tensor_map\": 0, \"dims\": [4]}"),
            where +
                " needs a list 'dims' of integers of at least 0 and at most "
                "3");
  const std::string dims = where + " needs 'dims' and 'box' for all dimensions "
                                   "of query, at most 5, its last one first";
  EXPECT_EQ(getMapError("{\"tensor_map\": 0, \"dims\": [3, 1], \"box\": [64, "
                        "8]}"),
            dims);
  EXPECT_EQ(getMapError("{\"tensor_map\": 0, \"dims\": [1, 3, 2, 0], \"box\": "
                        "[64, 8, 2, 1]}"),
            dims);
  EXPECT_EQ(getMapError("{\"tensor_map\": 0, \"dims\": [3, 1, 2, 0], \"box\": "
                        "[64, 8, 2, 1], \"swizzle\": 96}"),
            where + " has a swizzle that is not 0, 32, 64 or 128");
}

TEST(Manifest, ReadsCounters) {
  const std::string counters = "{\"counters\": 2}";
  Result<Manifest> manifest = Manifest::parse(
      replaced(manifestText, "[0, 1, 2]", "[0, " + counters + "]"), "m.json");
  ASSERT_TRUE(manifest) << manifest.getStatus().getMessage();
  EXPECT_FALSE(manifest->kernels[0].parameters[0].isCounters);
  EXPECT_TRUE(manifest->kernels[0].parameters[1].isCounters);

  EXPECT_EQ(getMapError("{\"counters\": 3}"),
            "kernel 'kernel0' needs an integer 'counters' of at least 2 and at "
            "most 2");
  EXPECT_EQ(getMapError(counters),
            "kernel 'kernel0' has counters that are not its last parameter");
}

TEST(Manifest, SaysThatThereIsNoFile) {
  EXPECT_EQ(
      Manifest::read("no/such.json").getStatus().getMessage(),
      "cannot read 'no/such.json': there is no such file, or it cannot be "
      "opened");
}

TEST(Manifest, NeverCrashesOnTruncatedText) {
  const std::string text = manifestText;
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(getError(text.substr(0, length)), "");
}

TEST(Manifest, InfersShapesOfResults) {
  Result<Manifest> manifest = Manifest::parse(manifestText, "m.json");
  ASSERT_TRUE(manifest);
  std::vector<std::vector<int64_t>> shapes = {{2, 5, 8, 64}, {2, 9, 2, 64}, {}};
  ASSERT_TRUE(manifest->inferShapes(shapes).ok());
  EXPECT_EQ(shapes[2], (std::vector<int64_t>{2, 5, 4, 64}));

  shapes = {{2, 5, 8, 64}, {}, {}};
  EXPECT_EQ(manifest->inferShapes(shapes).getMessage(),
            "the size of dimension 1 of key does not follow from the other "
            "arguments");
  shapes = {{2, 5, 8, 64}};
  EXPECT_EQ(manifest->inferShapes(shapes).getMessage(),
            "'attention' takes 3 arguments, but got 1");
  shapes = {{2, 5}, {}, {}};
  EXPECT_EQ(manifest->inferShapes(shapes).getMessage(),
            "query has rank 2, expected 4");
}

/// The image of a target for a device; "" if there is none.
static std::string select(const std::string &target, ComputeCapability device,
                          bool hasCubin = true, bool hasPtx = true) {
  Manifest manifest;
  manifest.target = target;
  if (hasPtx)
    manifest.ptx = "ptx";
  if (hasCubin)
    manifest.cubins[target] = "cubin";
  return manifest.selectImage(device).value_or("");
}

TEST(Manifest, SelectsTheImageByTheDevice) {
  EXPECT_EQ(select("sm_80", {8, 0}), "cubin");
  EXPECT_EQ(select("sm_80", {8, 9}), "cubin");
  EXPECT_EQ(select("sm_80", {9, 0}), "ptx");
  EXPECT_EQ(select("sm_80", {12, 0}), "ptx");
  EXPECT_EQ(select("sm_80", {9, 0}, true, false), "");
  EXPECT_EQ(select("sm_86", {8, 0}), "");
  EXPECT_EQ(select("sm_80", {7, 5}), "");
  EXPECT_EQ(select("sm_90a", {9, 0}), "cubin");
  EXPECT_EQ(select("sm_90a", {9, 0}, false), "ptx");
  EXPECT_EQ(select("sm_90a", {10, 0}), "");
  EXPECT_EQ(select("sm_120", {12, 0}), "cubin");
  EXPECT_EQ(select("sm_100f", {10, 3}), "cubin");
  EXPECT_EQ(select("sm_100a", {10, 3}), "");
  EXPECT_EQ(select("x86-64", {9, 0}), "");
  EXPECT_EQ(select("sm_90ab", {9, 0}), "");

  Manifest manifest;
  manifest.target = "sm_80";
  manifest.cubins = {{"sm_80", "a"}, {"sm_86", "b"}, {"sm_90", "c"}};
  EXPECT_EQ(manifest.selectImage({8, 9}), "b");
  EXPECT_EQ(manifest.selectImage({9, 0}), "c");
}
