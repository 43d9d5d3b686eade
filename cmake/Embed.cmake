# Writes OUT, a C++ file that includes HEADER and defines the text of each of FILES under the name at the same place in
# NAMES; both are separated by |. A file that is not there gives an empty text.
cmake_minimum_required(VERSION 3.25)
string(REPLACE "|" ";" NAMES "${NAMES}")
string(REPLACE "|" ";" FILES "${FILES}")
set(source "#include \"${HEADER}\"\n\nnamespace effnetv2::assets {\n")
foreach(name file IN ZIP_LISTS NAMES FILES)
  set(text "")
  if(EXISTS "${file}")
    file(READ "${file}" text HEX)
  endif()
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${text}")
  string(APPEND source
    "static const unsigned char ${name}Bytes[] = {${bytes}0};\n"
    "const std::string_view ${name}(reinterpret_cast<const char*>(${name}Bytes), sizeof ${name}Bytes - 1);\n")
endforeach()
file(WRITE "${OUT}" "${source}}  // namespace effnetv2::assets\n")
