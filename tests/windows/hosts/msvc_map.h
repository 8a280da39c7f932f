/* A std::unordered_map<std::string, void*> as Microsoft's release-mode C++ library lays it out, built by
 * hand, to call entry points as torch_cpu.dll calls them. Never freed: hosts are short. */
#ifndef MSVC_MAP_H
#define MSVC_MAP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "c_api.h"

typedef struct MsvcString {
  union {
    char inside[16];
    char* outside;
  };
  uint64_t size, capacity;
} MsvcString;

typedef struct MsvcNode {
  struct MsvcNode *next, *previous;
  MsvcString key;
  void* value;
} MsvcNode;

typedef struct MsvcMap {
  float max_load_factor;
  MsvcNode* head;
  uint64_t size;
  void **first, **last, **end;
  uint64_t mask, num_buckets;
} MsvcMap;

static MsvcMap* msvc_map(const Entry* entries, size_t count) {
  MsvcMap* map = calloc(1, sizeof(MsvcMap));
  map->max_load_factor = 1.0f;
  /* The head has links only; its value is never made. */
  map->head = calloc(1, sizeof(MsvcNode));
  map->head->next = map->head->previous = map->head;
  map->size = count;
  map->num_buckets = 8;
  while (map->num_buckets < count) {
    map->num_buckets *= 8;
  }
  map->mask = map->num_buckets - 1;
  map->first = calloc(2 * map->num_buckets, sizeof(void*));
  map->last = map->end = map->first + 2 * map->num_buckets;
  for (size_t i = 0; i < count; ++i) {
    MsvcNode* node = calloc(1, sizeof(MsvcNode));
    node->key.size = strlen(entries[i].name);
    if (node->key.size < 16) {
      node->key.capacity = 15;
      memcpy(node->key.inside, entries[i].name, node->key.size);
    } else {
      node->key.capacity = node->key.size | 15;
      node->key.outside = calloc(1, node->key.capacity + 1);
      memcpy(node->key.outside, entries[i].name, node->key.size);
    }
    node->value = entries[i].handle;
    node->previous = map->head->previous;
    node->next = map->head;
    node->previous->next = node;
    map->head->previous = node;
  }
  return map;
}

/* The same with one thing wrong. */
static void* broken_map(const Entry* entries, size_t count, const char* how) {
  MsvcMap* map = msvc_map(entries, count);
  if (strcmp(how, "null") == 0) return NULL;
  if (strcmp(how, "wild") == 0) return (void*)(uintptr_t)0x7ff000001000;
  if (strcmp(how, "zeros") == 0) return calloc(1, 4096);
  if (strcmp(how, "size") == 0) map->size += 1;
  if (strcmp(how, "huge-size") == 0) map->size = UINT64_MAX;
  if (strcmp(how, "load-factor") == 0) map->max_load_factor = -1.0f;
  if (strcmp(how, "buckets") == 0) map->num_buckets += 1;
  if (strcmp(how, "wild-node") == 0) map->head->next->next = (MsvcNode*)(uintptr_t)64;
  if (strcmp(how, "one-way") == 0) map->head->next->previous = map->head->next;
  if (strcmp(how, "name-size") == 0) map->head->next->key.size = 1 << 20;
  if (strcmp(how, "name-pointer") == 0) {
    map->head->next->key.capacity = 31;
    map->head->next->key.outside = (char*)(uintptr_t)64;
  }
  return map;
}

#endif
