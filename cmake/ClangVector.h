// Included before every file that clang reads (the presets tidy and fuzz), and by no other compiler.
//
// LibTorch 1.13 has members of type std::vector<IValue> where IValue is not complete yet. In C++20 a vector's members
// are constexpr, and clang, unlike gcc, looks into constexpr members at once: it cannot read the header. With members
// that are not constexpr it can. The one function that <string> has declared constexpr by then gets another name for
// that while.
#include <string>
#ifdef __GLIBCXX__
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#define __fill_a1 __fill_a1_of_bits
#include <vector>
#undef __fill_a1
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR constexpr
#endif
