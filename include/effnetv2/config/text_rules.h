#pragma once

#include "effnetv2/config/field.h"

namespace effnetv2 {

/// Experiment names, which become part of a folder's name.
extern const TextRule kNameRule;
/// auto | cpu | cuda | cuda:N
extern const TextRule kDeviceRule;
/// none | backbone | stages:N
extern const TextRule kFreezeRule;

}  // namespace effnetv2
