#pragma once

/// What is done on a card is in effnetv2::cuda. Tests compile it a second time for a CPU, under a name of its own.
#ifndef EFFNETV2_CUDA_NAMESPACE
#define EFFNETV2_CUDA_NAMESPACE cuda
#endif
