// Preloaded (LD_PRELOAD) into a program, it sets the time of day a day back or forth at every seventh question for it,
// as a machine without a good clock might. Clocks that only go forward are left alone.
#include <atomic>
#include <ctime>
#include <iterator>

#include <dlfcn.h>
#include <sys/time.h>

namespace {

constexpr long kDay = 24 * 60 * 60;

long jump() {
  static std::atomic<unsigned> asked{0};
  static constexpr long days[] = {0, 1, -1, 400, -400, 2, -3};
  return days[asked++ / 7 % std::size(days)] * kDay;
}

int real_clock(clockid_t clock, timespec* now) {
  static auto* const function = reinterpret_cast<int (*)(clockid_t, timespec*)>(::dlsym(RTLD_NEXT, "clock_gettime"));
  return function(clock, now);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  const int result = real_clock(clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) {
    now->tv_sec += jump();
  }
  return result;
}

time_t time(time_t* out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}

int gettimeofday(timeval* __restrict out, void* __restrict) {
  timespec now{};
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return result;
}

}  // extern "C"
