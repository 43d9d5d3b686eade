#pragma once

#include <algorithm>

#include <cuda_runtime.h>

#include "launch.h"

// How the depthwise kernels share a channels-last map out: a thread takes a tile of neighbouring positions of a few
// neighbouring channels, a block takes `lanes` such threads along the channels and as many tiles as it has room for.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

inline constexpr int kDepthwiseThreads = 128;
inline constexpr int kLanes = 8;  // along the channels: 128 bytes, one line of the caches, in bfloat16

struct Tiling {
  int vector, channels;         ///< of a thread, in all
  int lanes, groups;            ///< threads along the channels of a block; blocks along the channels
  int tile_rows, tile_columns;  ///< of one image
  unsigned strip, strips;       ///< wide maps are cut into strips, so that the tiles of a block are near each other
  unsigned tiles;               ///< of all images
  int height, width;            ///< of the map

  unsigned tiles_per_block() const { return static_cast<unsigned>(kDepthwiseThreads / lanes); }
  unsigned blocks() const {  ///< along the tiles
    return (tiles + tiles_per_block() - 1) / tiles_per_block();
  }
  dim3 block() const { return dim3(static_cast<unsigned>(lanes), tiles_per_block()); }
  /// Threads with something to do.
  double threads() const { return static_cast<double>(tiles) * groups * lanes; }
};

/// Tiles of rows x columns positions of a map with `vector` channels each; at most `widest` lanes.
inline Tiling make_tiling(int images, int channels, int height, int width, int vector, int rows, int columns,
                          int widest = kLanes) {
  constexpr int kStrip = 6;  // tiles: a block's are then about as high as they are wide
  const auto parts = [](int size, int part) { return (size + part - 1) / part; };
  Tiling t{};
  t.vector = vector;
  t.channels = channels;
  const int vectors = parts(channels, vector);
  t.groups = parts(vectors, widest);
  t.lanes = parts(vectors, t.groups);
  t.tile_rows = parts(height, rows);
  t.tile_columns = parts(width, columns);
  const int strips = parts(t.tile_columns, kStrip);
  t.strip = static_cast<unsigned>(parts(t.tile_columns, strips));
  t.strips = static_cast<unsigned>(strips);
  t.tiles = static_cast<unsigned>(images) * t.strips * static_cast<unsigned>(t.tile_rows) * t.strip;
  t.height = height;
  t.width = width;
  return t;
}

struct Tile {
  int image, row, column;  ///< in tiles
  bool exists;
};

__device__ __forceinline__ Tile tile_at(const Tiling& t, unsigned index) {
  const unsigned rows = static_cast<unsigned>(t.tile_rows);
  const unsigned in_strip = index % t.strip;
  const unsigned line = index / t.strip;
  const unsigned row = line % rows;
  const unsigned strip = line / rows;
  const unsigned column = strip % t.strips * t.strip + in_strip;
  return {static_cast<int>(strip / t.strips), static_cast<int>(row), static_cast<int>(column),
          index < t.tiles && column < static_cast<unsigned>(t.tile_columns)};
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
