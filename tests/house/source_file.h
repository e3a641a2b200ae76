// SPDX-License-Identifier: Apache-2.0
#pragma once
// The project's own files as the house tests read them. No shared state.

#include <string>
#include <string_view>
#include <vector>

namespace vole::house {

// One file in two views, line by line, each as long as the original: what the compiler sees and
// what people read.
struct source_file {
  std::string path;                   // from the project's root: "src/errors/errors.cc"
  std::vector<std::string> lines;     // as they stand
  std::vector<std::string> code;      // comments and the insides of literals blanked out
  std::vector<std::string> comments;  // everything but comments blanked out

  bool is_header() const { return path.ends_with(".h"); }
  bool is_test() const;  // *_test.cc, and all under tests/
  bool is_beside()
      const;  // *_test.{cc,h}, *_bench.cc, *_example.cc: what stands beside product code
  bool in(std::string_view folder) const { return path.starts_with(folder); }
  std::string name() const { return path.substr(path.rfind('/') + 1); }
};

// parse makes the three views of a text.
source_file parse(std::string path, std::string const& text);

// project_root is the folder of the checkout that these tests were built from.
std::string const& project_root();

// read_text is a file's contents; the path is from the root. Fails the running test if it cannot be
// read.
std::string read_text(std::string const& path);

// files lists the files under the named folders of the project that end in one of `endings`,
// sorted.
std::vector<std::string> files(std::vector<std::string> const& folders,
                               std::vector<std::string> const& endings);

// cpp_files are all C++ files of the project, parsed; read once.
std::vector<source_file> const& cpp_files();

// A breach of a rule and where it is.
struct violation {
  std::string path;
  std::size_t line = 0;  // from 1; 0 for the file as a whole
  std::string what;
};
// "\n  path:line: what" for each.
std::string list(std::vector<violation> const& violations);

}  // namespace vole::house
