// Preloaded (LD_PRELOAD) into a program, it sees every change that the program makes to files below a folder: it writes
// them down, in order and with their bytes, so that a power cut after each of them can be played back; or makes one of
// them fail.
//
//   EFFNETV2_FAULT_ROOT    the folder, an absolute path
//   EFFNETV2_FAULT_RECORD  where to write the changes down (read by disk_model.py)
//   EFFNETV2_FAULT         N:ERRNO        the Nth change fails, and all later ones but removals: the disk stays full or
//   broken
//                          N:ERRNO:once   only the Nth fails
//                          N:KILL         the process is killed just before it
//
// What stdio writes (log.txt) is not seen: the C library's own calls do not pass here.
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

ssize_t real_write(int fd, const void* data, std::size_t bytes) {
  static auto* const function = next<ssize_t(int, const void*, std::size_t)>("write");
  return function(fd, data, bytes);
}

int real_open(const char* path, int flags, mode_t mode) {
  static auto* const function = next<int(const char*, int, ...)>("open64");
  return function(path, flags, mode);
}

struct Fault {
  long at = -1;  ///< number of the change, from 0
  int code = 0;  ///< 0: the process is killed
  bool once = false;
};

class Shim {
 public:
  /// Never destroyed: files are written until the last moment.
  static Shim& get() {
    static auto* const shim = new Shim;
    return *shim;
  }

  std::recursive_mutex mutex;
  std::map<int, std::string> open_files;

  /// The absolute path if it is below the folder, else "".
  std::string watched(const char* path) const {
    if (root_.empty() || path == nullptr) {
      return "";
    }
    std::string whole = path;
    if (whole.front() != '/') {
      char folder[4096];
      whole = std::string(::getcwd(folder, sizeof folder) != nullptr ? folder : "") + "/" + whole;
    }
    return whole.rfind(root_, 0) == 0 ? whole : "";
  }

  /// Counts a change that is about to be made. Its error, or 0.
  int begin(bool removal = false) {
    const long number = count_++;
    if (fault_.at < 0 || number < fault_.at || (fault_.once && number > fault_.at) || (removal && number > fault_.at)) {
      return 0;
    }
    if (fault_.code == 0) {
      ::kill(::getpid(), SIGKILL);
    }
    return fault_.code;
  }

  bool stays() const { return !fault_.once; }

  void note(const std::string& line, const void* data = nullptr, std::size_t bytes = 0) const {
    if (record_ >= 0) {
      std::string text = line + "\n";
      text.append(static_cast<const char*>(data), bytes);
      if (real_write(record_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        std::abort();
      }
    }
  }

 private:
  Shim() {
    const auto variable = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string(value == nullptr ? "" : value);
    };
    root_ = variable("EFFNETV2_FAULT_ROOT");
    if (const std::string file = variable("EFFNETV2_FAULT_RECORD"); !file.empty()) {
      record_ = real_open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    }
    if (const std::string fault = variable("EFFNETV2_FAULT"); !fault.empty()) {
      const auto colon = fault.find(':');
      fault_.at = std::stol(fault);
      const std::string what = fault.substr(colon + 1);
      static const std::map<std::string, int> codes{{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EROFS", EROFS},
                                                    {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"KILL", 0}};
      fault_.code = codes.at(what.substr(0, what.find(':')));
      fault_.once = what.find(":once") != std::string::npos;
    }
  }

  std::string root_;
  int record_ = -1;
  long count_ = 0;
  Fault fault_;
};

int failed(int code) {
  errno = code;
  return -1;
}

/// One change of names: `call` makes it, `line` says it.
template <typename Call>
int change(bool is_watched, const std::string& line, bool removal, const Call& call) {
  if (!is_watched) {
    return call();
  }
  Shim& shim = Shim::get();
  const std::lock_guard lock(shim.mutex);
  if (const int code = shim.begin(removal)) {
    return failed(code);
  }
  const int result = call();
  if (result == 0) {
    const int kept = errno;
    shim.note(line);
    errno = kept;
  }
  return result;
}

int open_file(const char* path, int flags, mode_t mode) {
  Shim& shim = Shim::get();
  const std::lock_guard lock(shim.mutex);
  const std::string file = shim.watched(path);
  struct stat info {};
  const bool is_new = !file.empty() && (flags & O_CREAT) != 0 && ::stat(path, &info) != 0;
  const bool changes = is_new || (!file.empty() && (flags & O_TRUNC) != 0);
  if (changes) {
    if (const int code = shim.begin()) {
      return failed(code);
    }
  }
  const int fd = real_open(path, flags, mode);
  if (fd >= 0 && !file.empty()) {
    shim.open_files[fd] = file;
    shim.note("open " + std::to_string(fd) + " " + ((flags & O_CREAT) != 0 ? "c" : "-") +
              ((flags & O_TRUNC) != 0 ? "t" : "-") + ((flags & O_APPEND) != 0 ? "a" : "-") + " " + file);
  } else if (fd >= 0) {
    shim.open_files.erase(fd);
  }
  return fd;
}

/// `at` < 0: where the file stands.
template <typename Call>
ssize_t write_bytes(int fd, const void* data, std::size_t bytes, off_t at, const Call& call) {
  Shim& shim = Shim::get();
  const std::lock_guard lock(shim.mutex);
  if (shim.open_files.count(fd) == 0) {
    return call(bytes);
  }
  if (const int code = shim.begin()) {
    // a disk that becomes full takes the beginning
    static bool was_short = false;
    if (!shim.stays() || bytes < 2 || was_short) {
      return failed(code);
    }
    was_short = true;
    bytes /= 2;
  }
  const ssize_t written = call(bytes);
  if (written > 0) {
    const int kept = errno;
    shim.note("write " + std::to_string(fd) + " " + std::to_string(at) + " " + std::to_string(written), data,
              static_cast<std::size_t>(written));
    errno = kept;
  }
  return written;
}

template <typename Call>
int change_open(int fd, const std::string& line, const Call& call) {
  Shim& shim = Shim::get();
  return change(shim.open_files.count(fd) != 0, line, false, call);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_file(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_file(path, flags, mode);
}

int close(int fd) {
  static auto* const function = next<int(int)>("close");
  Shim& shim = Shim::get();
  const std::lock_guard lock(shim.mutex);
  shim.open_files.erase(fd);
  return function(fd);
}

ssize_t write(int fd, const void* data, size_t bytes) {
  return write_bytes(fd, data, bytes, -1, [&](size_t n) { return real_write(fd, data, n); });
}

ssize_t pwrite(int fd, const void* data, size_t bytes, off_t at) {
  static auto* const function = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return write_bytes(fd, data, bytes, at, [&](size_t n) { return function(fd, data, n, at); });
}

ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t at) {
  return pwrite(fd, data, bytes, at);
}

int ftruncate(int fd, off_t bytes) {
  static auto* const function = next<int(int, off_t)>("ftruncate");
  return change_open(fd, "truncate " + std::to_string(fd) + " " + std::to_string(bytes),
                     [&] { return function(fd, bytes); });
}

int ftruncate64(int fd, off64_t bytes) {
  return ftruncate(fd, bytes);
}

int fsync(int fd) {
  static auto* const function = next<int(int)>("fsync");
  return change_open(fd, "sync " + std::to_string(fd), [&] { return function(fd); });
}

int fdatasync(int fd) {
  static auto* const function = next<int(int)>("fdatasync");
  return change_open(fd, "sync " + std::to_string(fd), [&] { return function(fd); });
}

int rename(const char* from, const char* to) {
  static auto* const function = next<int(const char*, const char*)>("rename");
  const std::string old_name = Shim::get().watched(from), new_name = Shim::get().watched(to);
  return change(!new_name.empty(), "rename " + old_name + "\t" + new_name, false, [&] { return function(from, to); });
}

int link(const char* from, const char* to) {
  static auto* const function = next<int(const char*, const char*)>("link");
  const std::string old_name = Shim::get().watched(from), new_name = Shim::get().watched(to);
  return change(!new_name.empty(), "link " + old_name + "\t" + new_name, false, [&] { return function(from, to); });
}

int unlink(const char* path) {
  static auto* const function = next<int(const char*)>("unlink");
  const std::string file = Shim::get().watched(path);
  return change(!file.empty(), "remove " + file, true, [&] { return function(path); });
}

// what std::filesystem::remove calls
int remove(const char* path) {
  static auto* const function = next<int(const char*)>("remove");
  const std::string file = Shim::get().watched(path);
  struct stat info {};
  const bool there = !file.empty() && ::lstat(path, &info) == 0;
  return change(there, "remove " + file, true, [&] { return function(path); });
}

int mkdir(const char* path, mode_t mode) {
  static auto* const function = next<int(const char*, mode_t)>("mkdir");
  const std::string folder = Shim::get().watched(path);
  struct stat info {};
  const bool is_new = !folder.empty() && ::stat(path, &info) != 0;
  return change(is_new, "mkdir " + folder, false, [&] { return function(path, mode); });
}

}  // extern "C"
