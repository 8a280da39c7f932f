/* One JSON object per line on stdout. */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static void json_string(const char* text) {
  putchar('"');
  for (; *text != 0; ++text) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      printf("\\%c", c);
    } else if (c < 0x20) {
      printf("\\u%04x", c);
    } else {
      putchar(c);
    }
  }
  putchar('"');
}

static char* to_utf8(const wchar_t* text) {
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
  char* result = malloc((size_t)size);
  WideCharToMultiByte(CP_UTF8, 0, text, -1, result, size, NULL, NULL);
  return result;
}

static wchar_t* to_wide(const char* text) {
  const int size = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
  wchar_t* result = malloc((size_t)size * sizeof(wchar_t));
  MultiByteToWideChar(CP_UTF8, 0, text, -1, result, size);
  return result;
}

static void json_wide(const wchar_t* text) {
  char* utf8 = to_utf8(text);
  json_string(utf8);
  free(utf8);
}

#endif
