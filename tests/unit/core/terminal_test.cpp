#include "effnetv2/core/terminal.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace effnetv2 {
namespace {

ProgressState half_way() {
  ProgressState state;
  state.label = "epoch 3/350";
  state.unit = "img";
  state.done = 500;
  state.total = 1000;
  state.per_second = 250.0;
  state.text = "loss 2.301";
  return state;
}

TEST(Progress, ShowsEverythingInAWideLine) {
  EXPECT_EQ(render_progress(half_way(), 120),
            "epoch 3/350  [=============>..............]   50 %  500/1000 img  250 img/s  2.0 s left  loss 2.301");
}

TEST(Progress, NeverIsWiderThanAsked) {
  for (int width = 0; width <= 140; ++width) {
    EXPECT_LE(render_progress(half_way(), width).size(), static_cast<std::size_t>(width)) << width;
  }
}

TEST(Progress, NarrowLinesLoseTheBarThenPartsByTheirWorth) {
  EXPECT_EQ(render_progress(half_way(), 72), "epoch 3/350   50 %  500/1000 img  250 img/s  2.0 s left  loss 2.301");
  EXPECT_EQ(render_progress(half_way(), 57), "epoch 3/350   50 %  500/1000 img  2.0 s left  loss 2.301");
  EXPECT_EQ(render_progress(half_way(), 45), "epoch 3/350   50 %  2.0 s left  loss 2.301");
  EXPECT_EQ(render_progress(half_way(), 35), "epoch 3/350   50 %  2.0 s left");
  EXPECT_EQ(render_progress(half_way(), 7), "epoch 3");
}

TEST(Progress, AGrowingShareNeverShrinksTheBar) {
  ProgressState state = half_way();
  std::ptrdiff_t last = 0;
  for (state.done = 0; state.done <= state.total; ++state.done) {
    const std::string line = render_progress(state, 120);
    const auto filled = std::ranges::count_if(line, [](char c) { return c == '=' || c == '>'; });
    EXPECT_GE(filled, last) << line;
    last = filled;
  }
  EXPECT_EQ(last, 28);  // full
}

TEST(Progress, CountsBeyondTheTotalStayInside) {
  ProgressState state = half_way();
  state.done = 2000;
  EXPECT_NE(render_progress(state, 120).find("100 %  1000/1000 img"), std::string::npos);
}

TEST(Progress, UnknownTotalAndRateLeaveTheirPartsOut) {
  ProgressState state = half_way();
  state.total = 0;
  EXPECT_EQ(render_progress(state, 80), "epoch 3/350  500 img  250 img/s  loss 2.301");
  state.per_second = 0.0;
  state.text.clear();
  EXPECT_EQ(render_progress(state, 80), "epoch 3/350  500 img");
}

TEST(Progress, CutsBetweenCharactersNotInsideThem) {
  ProgressState state;
  state.label = "\xC3\xA9poque";  // é takes two bytes and one column
  EXPECT_EQ(render_progress(state, 1), "\xC3\xA9");
  EXPECT_EQ(render_progress(state, 3), "\xC3\xA9po");
}

}  // namespace
}  // namespace effnetv2
