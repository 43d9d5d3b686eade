#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "effnetv2/config/data_config.h"
#include "effnetv2/config/experiment_config.h"
#include "effnetv2/config/model_config.h"
#include "effnetv2/config/train_config.h"

namespace effnetv2 {

/// The JSON names of an enum's values, in the enum's order.
template <typename E>
inline constexpr std::array<std::string_view, 0> kNames{};

template <>
inline constexpr std::array<std::string_view, 2> kNames<BlockKind>{"fused_mbconv", "mbconv"};
template <>
inline constexpr std::array<std::string_view, 4> kNames<Arch>{"efficientnet_v2_s", "efficientnet_v2_m",
                                                              "efficientnet_v2_l", "efficientnet_b0"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<Init>{"torchvision", "per_group"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<ResizeMode>{"squash", "center_crop"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<Interpolation>{"bilinear", "bicubic"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<Decode>{"exact", "fast"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<OnBadImage>{"error", "skip"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<ChooseOn>{"val", "test"};
template <>
inline constexpr std::array<std::string_view, 4> kNames<Cache>{"auto", "ram", "disk", "none"};
template <>
inline constexpr std::array<std::string_view, 4> kNames<OptimizerType>{"adam", "adamw", "sgd", "rmsprop"};
template <>
inline constexpr std::array<std::string_view, 5> kNames<SchedulerType>{"none", "plateau", "step", "cosine", "onecycle"};
template <>
inline constexpr std::array<std::string_view, 2> kNames<ThresholdMode>{"rel", "abs"};
template <>
inline constexpr std::array<std::string_view, 4> kNames<Precision>{"auto", "fp32", "tf32", "bf16"};

/// The JSON name of an enum's value: name_of(Precision::bf16) is "bf16".
template <typename E>
constexpr std::string_view name_of(E value) {
  return kNames<E>[static_cast<std::size_t>(value)];
}

/// The columns of metrics.jsonl that train.monitor may name.
inline constexpr std::array<std::string_view, 7> kMonitorColumns{
    "train_loss", "train_top1", "val_loss", "val_top1", "val_top5", "train_eval_loss", "train_eval_top1"};

}  // namespace effnetv2
