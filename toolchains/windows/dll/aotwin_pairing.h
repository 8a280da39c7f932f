/* What ties a DLL to its blob: written by the link stage as a C source of its own, so that the
 * compiled wrapper does not depend on the weights' values.
 *
 * The generated `aotwin_pairing.c` reads, with the figures of the build in place of <...>:
 *
 *     #include "aotwin_pairing.h"
 *
 *     static const uint16_t blob_name[<256 or more>] = {<UTF-16 code units>, 0};
 *     static const uint8_t may_be_written[] = {<one 0 or 1 per constant>, 0};
 *     const AotwinPairing aotwin_pairing = {
 *         .format_version = AOTWIN_PAIRING_VERSION,
 *         .num_constants = <number of constants in the blob>,
 *         .constants_size = UINT64_C(<bytes of the constants, without the trailer>),
 *         .sha256 = {<32 bytes>},
 *         .blob_name = blob_name,
 *         .may_be_written = may_be_written,
 *     };
 *     AOTWIN_DEFINE_CONSTANTS_BIN(<bytes of the constants>)
 *
 * `may_be_written` has a spare element at its end, because C knows no empty arrays.
 */
#ifndef AOTWIN_PAIRING_H
#define AOTWIN_PAIRING_H

#include <stdint.h>

#define AOTWIN_PAIRING_VERSION 1

/* The blob's trailer: its fields are at the end of this file. */
#define AOTWIN_TRAILER_SIZE 64
#define AOTWIN_TRAILER_VERSION 1
#define AOTWIN_TRAILER_MAGIC "AOTWBLOB"

/* Bytes to which AOTInductor pads each constant of a CPU model (AOTI_CONST_ALIGNMENT). A model
 * without constants has one such block of zeros in its blob, so that a host which maps exactly
 * `AOTInductorModelContainerGetConstantsBlobSize` bytes has something to map. */
#define AOTWIN_CONSTANT_ALIGNMENT 64

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AotwinPairing {
  uint32_t format_version;
  /* Constants that lie in the blob, in its order; run-time folded ones are not among them. */
  uint32_t num_constants;
  /* Bytes of the constants in the blob: the offset of its trailer. */
  uint64_t constants_size;
  /* Of the constants' bytes. */
  uint8_t sha256[32];
  /* UTF-16, null-terminated: a file name, or, where another model of the wheel has the same weights,
   * the path of its blob from this DLL's folder: `..\encoder\encoder_weights.blob`. The room behind
   * it is zero, for such a path where the wheel is made of models that were built elsewhere. */
  const uint16_t* blob_name;
  /* One byte per constant in the blob's order: 1 where the model may write it (it is copied, each
   * container has its own), 0 where it can stay in the read-only mapping. */
  const uint8_t* may_be_written;
} AotwinPairing;

extern const AotwinPairing aotwin_pairing;

#ifdef __cplusplus
}
#endif

/* AOTInductor's own name for the blob's size when weights are mapped from outside (USE_MMAP_EXTERNAL
 * in torch/csrc/inductor/aoti_runtime/model_base.h): eight bytes, little endian, read as uint64_t. */
#define AOTWIN_DEFINE_CONSTANTS_BIN(size)                                   \
  _Alignas(8) uint8_t _binary_constants_bin_start[8] = {                    \
      AOTWIN_BYTE_(size, 0), AOTWIN_BYTE_(size, 1), AOTWIN_BYTE_(size, 2),  \
      AOTWIN_BYTE_(size, 3), AOTWIN_BYTE_(size, 4), AOTWIN_BYTE_(size, 5),  \
      AOTWIN_BYTE_(size, 6), AOTWIN_BYTE_(size, 7)};                        \
  uint8_t _binary_constants_bin_end[1] = {0};
#define AOTWIN_BYTE_(value, index) ((uint8_t)((UINT64_C(value) >> (8 * (index))) & 0xff))

#pragma pack(push, 1)
/* The last 64 bytes of a blob, little endian; the constants start at the file's offset 0. */
typedef struct AotwinTrailer {
  char magic[8];
  uint32_t version;
  uint32_t reserved0;
  uint64_t constants_size;
  uint64_t reserved1;
  uint8_t sha256[32];
} AotwinTrailer;
#pragma pack(pop)

#endif
