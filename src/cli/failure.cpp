#include "failure.h"

#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <c10/util/Exception.h>

#include "effnetv2/core/error.h"
#include "effnetv2/run/out_of_memory.h"

namespace effnetv2::cli {
namespace {

bool contains_any(std::string_view text, const auto& needles) {
  for (const std::string_view needle : needles) {
    if (text.find(needle) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Failure no_memory(const std::string& what) {
  return {kExitEnvironment, "out of memory: " + what +
                                "\na smaller train.batch_size (with train.accumulate) or data.image_size needs less"};
}

Failure bug(const std::string& what) {
  return {1, "internal error: " + what + " (please report)"};
}

/// LibTorch has few exception types of its own, so the kind is read from the words.
Failure describe_torch(const c10::Error& error) {
  static constexpr std::array<std::string_view, 6> device{
      "No CUDA GPUs are available", "NVIDIA driver", "CUDA driver", "no kernel image",
      "invalid device ordinal",     "without CUDA"};
  const std::string what = first_line(error.what_without_backtrace());
  if (contains_any(what, device)) {
    return {kExitEnvironment, what + "; --device cpu runs without a card"};
  }
  return bug(what);
}

Failure describe_path_error(const std::filesystem::filesystem_error& error) {
  std::string message = error.path1().empty() ? "" : error.path1().string() + ": ";
  return {kExitEnvironment, message + error.code().message()};
}

}  // namespace

Failure describe_failure(const std::exception_ptr& thrown) {
  if (const std::string what = out_of_memory(thrown); !what.empty()) {
    return no_memory(what);
  }
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& e) {
    return {e.exit_code(), e.what()};
  } catch (const c10::Error& e) {
    return describe_torch(e);
  } catch (const std::filesystem::filesystem_error& e) {
    return describe_path_error(e);
  } catch (const std::system_error& e) {
    return {kExitEnvironment, e.what()};
  } catch (const std::exception& e) {
    return bug(first_line(e.what()));
  } catch (...) {
    return bug("something that is no exception was thrown");
  }
}

}  // namespace effnetv2::cli
