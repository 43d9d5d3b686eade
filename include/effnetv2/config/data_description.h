#pragma once

#include "effnetv2/config/data_config.h"
#include "effnetv2/config/field.h"

namespace effnetv2 {

template <typename Visitor>
void describe(Visitor& visit, SplitConfig& c) {
  visit(Field{.key = "val",
              .doc = "Share of the training pictures set aside for validation; a val folder goes before it.",
              .range = half_open(0, 1)},
        c.val);
  visit(Field{.key = "test",
              .doc = "Share set aside for the final test; val + test must stay below 1.",
              .range = half_open(0, 1)},
        c.test);
  visit(Field{.key = "seed",
              .doc = "Seed of the split and of images_per_class, apart from the run's, so that seeds share one split.",
              .range = at_least(0)},
        c.seed);
  visit(Field{.key = "stratified", .doc = "Split every class by itself; false: all pictures at once."}, c.stratified);
  visit(Field{.key = "choose_on",
              .doc = "val: validation pictures choose the best epoch, and the test pictures are read once, at the end. "
                     "test: as many published figures are made, the test pictures choose, so that the best epoch's "
                     "accuracy on them is flattering; it stands in the val columns, and val must be 0."},
        c.choose_on);
}

template <typename Visitor>
void describe(Visitor& visit, RandomResizedCropConfig& c) {
  visit(Field{.key = "scale", .doc = "Smallest and largest share of the picture's area.", .range = above_to(0, 1)},
        c.scale);
  visit(Field{.key = "ratio", .doc = "Smallest and largest width / height.", .range = above_to(0, 100)}, c.ratio);
}

template <typename Visitor>
void describe(Visitor& visit, AugmentConfig& c) {
  visit(Field{.key = "flip", .doc = "Chance to mirror a training picture left to right.", .range = within(0, 1)},
        c.flip);
  visit(
      Field{.key = "random_resized_crop",
            .doc = "Train on a random part of each picture, resized to image_size, as torchvision's RandomResizedCrop. "
                   "null: off; {}: on, with the defaults below."},
      c.random_resized_crop);
}

template <typename Visitor>
void describe(Visitor& visit, DataConfig& c) {
  visit(Field{.key = "root",
              .doc = "Folder of the pictures: <root>/<class>/* or <root>/{train,val,test}/<class>/*.",
              .semantic = Semantic::no,
              .path = true},
        c.root);
  visit(Field{.key = "class_names",
              .doc =
                  "File with readable class names, a line each: \"n01440764 tench, Tinca tinca\". With a line for each "
                  "output, in their order, it also names the outputs of weights that bring no names.",
              .semantic = Semantic::no,
              .path = true},
        c.class_names);
  visit(Field{.key = "image_size",
              .doc = "Side of the network's square input.",
              .unit = "pixels",
              .range = within(8, 4096)},
        c.image_size);
  visit(Field{.key = "resize",
              .doc = "squash: to image_size whatever the shape. center_crop: the shorter side to resize_size, then the "
                     "middle."},
        c.resize);
  visit(Field{.key = "resize_size",
              .doc = "Shorter side before a center_crop; at least image_size. null: image_size.",
              .unit = "pixels",
              .range = within(8, 8192)},
        c.resize_size);
  visit(Field{.key = "interpolation", .doc = "Resampling filter, antialiased, equal to Pillow's to the last bit."},
        c.interpolation);
  visit(Field{.key = "decode",
              .doc = "exact: at full resolution, as Pillow does. fast: a JPEG at as few eighths of it as are not below "
                     "what is resized to: several times faster, with slightly other pixels."},
        c.decode);
  visit(Field{.key = "mean", .doc = "Subtracted from the pixels, which lie in 0..1, for R, G and B."}, c.mean);
  visit(Field{.key = "std", .doc = "What the pixels are then divided by, for R, G and B.", .range = above(0)}, c.std);
  visit(Field{.key = "images_per_class",
              .doc = "Training pictures to take of each class, before the split. null: all.",
              .unit = "pictures",
              .range = within(1, 1000000000)},
        c.images_per_class);
  visit(Field{.key = "skip_greyscale", .doc = "Leave out pictures stored with one channel."}, c.skip_greyscale);
  visit(Field{.key = "split", .doc = "How validation and test pictures are set aside."}, c.split);
  visit(Field{.key = "on_bad_image",
              .doc = "error: stop at an unreadable picture. skip: leave it out, named and counted."},
        c.on_bad_image);
  visit(Field{.key = "augment", .doc = "Random changes of the training pictures."}, c.augment);
  visit(Field{.key = "cache",
              .doc = "Pictures decoded and resized once, with the same results. ram: in memory. disk: in a file of "
                     "cache_dir, a pack, which is made at first (effnetv2 data pack makes it beforehand) and serves "
                     "every later run. none: not at all. auto: a pack, if there is one of these very files; else "
                     "memory, if they fit in half of what is free.",
              .semantic = Semantic::no},
        c.cache);
  visit(Field{.key = "cache_dir",
              .doc = "Folder of the packs. null: $XDG_CACHE_HOME/effnetv2, or ~/.cache/effnetv2.",
              .semantic = Semantic::no,
              .path = true},
        c.cache_dir);
  visit(Field{.key = "workers",
              .doc = "Threads that prepare pictures; 0: the training thread does. auto: by the processor's cores.",
              .unit = "threads",
              .range = within(0, 1024),
              .semantic = Semantic::no,
              .absent_is_auto = true},
        c.workers);
}

}  // namespace effnetv2
