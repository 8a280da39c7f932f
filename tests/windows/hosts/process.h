/* Figures of this process, and what lies behind an address. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>
#include <windows.h>

#include <psapi.h>

/* Committed memory that is neither a file's nor a module's, counted page range by page range. */
static uint64_t private_bytes(void) {
  uint64_t total = 0;
  const uint8_t* address = NULL;
  MEMORY_BASIC_INFORMATION region;
  while (VirtualQuery(address, &region, sizeof(region)) != 0) {
    if (region.State == MEM_COMMIT && region.Type == MEM_PRIVATE) {
      total += region.RegionSize;
    }
    address = (const uint8_t*)region.BaseAddress + region.RegionSize;
  }
  return total;
}

/* Views of files that are no images. */
static uint64_t mapped_views(void) {
  uint64_t total = 0;
  const uint8_t* address = NULL;
  MEMORY_BASIC_INFORMATION region;
  while (VirtualQuery(address, &region, sizeof(region)) != 0) {
    if (region.State == MEM_COMMIT && region.Type == MEM_MAPPED &&
        region.AllocationBase == region.BaseAddress) {
      ++total;
    }
    address = (const uint8_t*)region.BaseAddress + region.RegionSize;
  }
  return total;
}

/* The number that the next handle gets: handles that are never closed drive it up. (Wine 8 does not count
 * handles for GetProcessHandleCount.) */
static uint64_t next_handle(void) {
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  CloseHandle(event);
  return (uint64_t)(uintptr_t)event;
}

static const char* memory_kind(const void* address) {
  MEMORY_BASIC_INFORMATION region;
  if (VirtualQuery(address, &region, sizeof(region)) == 0 || region.State != MEM_COMMIT) {
    return "none";
  }
  return region.Type == MEM_MAPPED ? "mapped" : region.Type == MEM_IMAGE ? "image" : "private";
}

static const wchar_t* backing_file(const void* address) {
  static wchar_t name[40000];
  const DWORD size = K32GetMappedFileNameW(GetCurrentProcess(), (void*)address, name, 40000);
  name[size < 40000 ? size : 0] = 0;
  return name;
}

#endif
