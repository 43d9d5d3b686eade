#pragma once

#include <string_view>

namespace effnetv2::assets {

// Files of src/report/assets and Chart.js, as they were when this was built (cmake/Embed.cmake).
extern const std::string_view kHtml, kCss, kJs;
extern const std::string_view kChartJs;  ///< empty where the library was not found

}  // namespace effnetv2::assets
