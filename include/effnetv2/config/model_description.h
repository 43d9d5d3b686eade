#pragma once

#include "effnetv2/config/field.h"
#include "effnetv2/config/model_config.h"

namespace effnetv2 {

template <typename Visitor>
void describe(Visitor& visit, StageConfig& c) {
  visit(Field{.key = "block", .doc = "Kind of block."}, c.block);
  visit(Field{.key = "expand",
              .doc = "Expansion ratio: the hidden width is make_divisible(input channels * expand, 8).",
              .range = within(1, 64)},
        c.expand);
  visit(Field{.key = "kernel",
              .doc = "Side of the convolution window.",
              .unit = "pixels",
              .range = within(1, 31),
              .odd = true},
        c.kernel);
  visit(Field{.key = "stride", .doc = "Stride of the stage's first block.", .range = within(1, 2)}, c.stride);
  visit(Field{.key = "channels",
              .doc = "Output channels, before the width multipliers.",
              .range = within(1, 65536),
              .required = true},
        c.channels);
  visit(Field{.key = "layers", .doc = "Blocks in the stage, before the depth multipliers.", .range = within(1, 1000)},
        c.layers);
}

template <typename Visitor>
void describe(Visitor& visit, KindMultipliers& c) {
  visit(Field{.key = "width_mult", .doc = "Factor on the channels of these stages.", .range = above_to(0, 64)},
        c.width_mult);
  visit(Field{.key = "depth_mult", .doc = "Factor on the layers of these stages.", .range = above_to(0, 64)},
        c.depth_mult);
}

template <typename Visitor>
void describe(Visitor& visit, ModelConfig& c) {
  visit(Field{.key = "arch",
              .doc =
                  "Architecture: sets stages, stem_channels, head_channels, dropout and bn_eps unless they are given."},
        c.arch);
  visit(Field{.key = "stages",
              .doc = "The stage table, one row per stage. null: the architecture's.",
              .unit = "rows",
              .range = within(1, 64)},
        c.stages);
  visit(Field{.key = "width_mult",
              .doc = "Factor on the channels of the stem and all stages, never the head: make_divisible(channels * "
                     "factor, 8).",
              .range = above_to(0, 64)},
        c.width_mult);
  visit(Field{.key = "depth_mult",
              .doc = "Factor on the layers of all stages: ceil(layers * factor).",
              .range = above_to(0, 64)},
        c.depth_mult);
  visit(Field{.key = "mbconv", .doc = "Multipliers of the MBConv stages, on top of the model's."}, c.mbconv);
  visit(Field{.key = "fused_mbconv", .doc = "Multipliers of the Fused-MBConv stages, on top of the model's."},
        c.fused_mbconv);
  visit(Field{.key = "stem_channels",
              .doc = "Output channels of the first convolution, before width_mult. null: the architecture's.",
              .range = within(1, 65536)},
        c.stem_channels);
  visit(Field{.key = "stem_stride",
              .doc = "Stride of the first convolution; 1 keeps more detail of small pictures.",
              .range = within(1, 2)},
        c.stem_stride);
  visit(Field{.key = "head_channels",
              .doc = "Output channels of the last convolution. null: the architecture's.",
              .range = within(1, 65536)},
        c.head_channels);
  visit(Field{.key = "bn_eps", .doc = "BatchNorm's epsilon. null: the architecture's.", .range = above_to(0, 1)},
        c.bn_eps);
  visit(Field{.key = "bn_momentum",
              .doc = "BatchNorm's momentum: the share of the new batch in the running statistics.",
              .range = within(0, 1)},
        c.bn_momentum);
  visit(Field{.key = "dropout",
              .doc = "Chance to drop an activation before the classifier. null: the architecture's.",
              .range = half_open(0, 1)},
        c.dropout);
  visit(
      Field{
          .key = "stochastic_depth",
          .doc = "Chance to drop a block's branch for one picture: 0 at the first block, rising linearly towards this.",
          .range = half_open(0, 1)},
      c.stochastic_depth);
  visit(Field{.key = "init",
              .doc = "torchvision: its own initialisation. per_group: fan_out divided by the groups and the classifier "
                     "uniform in +-1/sqrt(inputs), with which small pictures learn."},
        c.init);
  visit(Field{.key = "num_classes",
              .doc = "Outputs of the classifier. null: the data's classes; more than those is allowed.",
              .range = within(1, 1000000)},
        c.num_classes);
  visit(
      Field{.key = "weights",
            .doc =
                "Weights to start from: a .safetensors, .pth or .pt file, or a run directory (its best weights). With "
                "another number of classes the classifier starts anew.",
            .path = true},
      c.weights);
}

}  // namespace effnetv2
