#include "effnetv2/core/mapped_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

/// For the signal handler, which may neither lock nor allocate.
struct Place {
  std::atomic<bool> taken{false};
  std::atomic<std::uintptr_t> begin{0}, end{0};
  std::array<char, 512> name{};
};
std::array<Place, 64> places;

int take_place(const void* data, std::size_t bytes, const std::string& name) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    Place& place = places[i];
    if (bool free = false; place.taken.compare_exchange_strong(free, true)) {
      place.name[name.copy(place.name.data(), place.name.size() - 1)] = '\0';
      const auto begin = reinterpret_cast<std::uintptr_t>(data);
      place.begin = begin;
      place.end = begin + bytes;
      return static_cast<int>(i);
    }
  }
  return -1;  // then its name is not said
}

const char* name_at(const void* address) {
  const auto touched = reinterpret_cast<std::uintptr_t>(address);
  for (const Place& place : places) {
    if (place.begin <= touched && touched < place.end) {
      return place.name.data();
    }
  }
  return "a mapped file";
}

extern "C" void on_bus_error(int, siginfo_t* info, void*) {
  for (const char* text : {"error: ", name_at(info->si_addr),
                           ": was cut short or its disk failed while it was read; restore it and start again\n"}) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) {
      break;
    }
  }
  ::_exit(kExitEnvironment);
}

}  // namespace

MappedFile::MappedFile(int fd, std::size_t bytes, const std::filesystem::path& path) : bytes_(bytes) {
  if (bytes == 0) {
    return;  // which the system would refuse
  }
  void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    const int code = errno;
    throw FileError(
        printable(path.string()) + ": cannot map " + std::to_string(bytes) + " bytes: " + std::strerror(code), code);
  }
  data_ = static_cast<const unsigned char*>(data);
  place_ = take_place(data, bytes, printable(path.string()));
}

MappedFile::~MappedFile() {
  if (place_ >= 0) {
    Place& place = places[static_cast<std::size_t>(place_)];
    place.begin = place.end = 0;
    place.taken = false;
  }
  if (data_ != nullptr) {
    ::munmap(const_cast<unsigned char*>(data_), bytes_);
  }
}

void install_mapped_file_guard() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace effnetv2
