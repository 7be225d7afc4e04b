//===- DeviceMemory.cpp - global and constant memory ----------------------===//
#include "tools/ptx-emulator/mem/DeviceMemory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

namespace ptx {

/// Bytes between allocations, so that what runs over one hits none.
static constexpr uint64_t redZone = 512;

uint32_t garbageWord(uint64_t seed) {
  uint32_t low = uint32_t(seed * 0x9e3779b9u);
  return seed % 2 ? 0x7fc00000u | (low & 0x3fffff) : 0x5e000000u | (low >> 8);
}

void fillWithGarbage(void *bytes, uint64_t count, uint64_t seed) {
  uint32_t word = garbageWord(seed);
  auto *to = static_cast<uint8_t *>(bytes);
  for (uint64_t i = 0; i < count; i += 4)
    std::memcpy(to + i, &word, std::min<uint64_t>(4, count - i));
}

uint64_t alignedTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

Allocation &DeviceMemory::add(uint64_t base, uint64_t bytes,
                              std::string origin) {
  Allocation result = {base,  bytes,   nullptr, nullptr, std::move(origin),
                       false, nullptr, nullptr};
  result.storage.reset(new uint8_t[bytes]);
  result.definedStorage.reset(new uint8_t[bytes]());
  result.data = result.storage.get();
  result.defined = result.definedStorage.get();
  fillWithGarbage(result.data, bytes, seed);
  inUse += bytes;
  return allocations[base] = std::move(result);
}

Allocation &DeviceMemory::allocate(uint64_t bytes, std::string origin,
                                   uint64_t alignment) {
  uint64_t base = alignedTo(nextBase + redZone, alignment);
  if (bytes > deviceBase + deviceSize - base)
    throw std::bad_alloc();
  Allocation &result = add(base, bytes, std::move(origin));
  nextBase = base + bytes;
  return result;
}

Allocation &DeviceMemory::allocateConstant(uint64_t bytes, std::string origin,
                                           uint64_t alignment) {
  uint64_t base = alignedTo(nextConstant, alignment);
  Allocation &result = add(base, bytes, std::move(origin));
  nextConstant = base + bytes + redZone;
  return result;
}

Allocation &DeviceMemory::addHost(void *bytes, uint64_t count,
                                  std::string origin) {
  uint64_t base = reinterpret_cast<uintptr_t>(bytes);
  return allocations[base] = {base,
                              count,
                              static_cast<uint8_t *>(bytes),
                              nullptr,
                              std::move(origin),
                              false,
                              nullptr,
                              nullptr};
}

bool DeviceMemory::free(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || found->second.isFreed)
    return false;
  Allocation &each = found->second;
  if (!each.storage) {
    // The host's: its address may come back.
    allocations.erase(found);
    return true;
  }
  inUse -= each.size;
  each.isFreed = true;
  each.storage.reset();
  each.definedStorage.reset();
  each.data = each.defined = nullptr;
  return true;
}

Allocation *DeviceMemory::find(uint64_t address, uint64_t bytes) {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin())
    return nullptr;
  Allocation &each = std::prev(next)->second;
  uint64_t offset = address - each.base;
  bool isInside = offset < each.size && bytes <= each.size - offset;
  return isInside && !each.isFreed ? &each : nullptr;
}

void DeviceMemory::forParts(
    uint64_t address, uint64_t bytes,
    const std::function<void(Allocation &, uint64_t, uint64_t)> &visit) {
  auto next = allocations.upper_bound(address);
  if (next != allocations.begin())
    --next;
  for (; next != allocations.end() && next->first < address + bytes; ++next) {
    Allocation &each = next->second;
    uint64_t begin = std::max(address, each.base),
             end = std::min(address + bytes, each.base + each.size);
    if (begin < end && !each.isFreed)
      visit(each, begin - each.base, end - begin);
  }
}

bool DeviceMemory::overlaps(uint64_t address, uint64_t bytes) const {
  // Those that are not freed are apart from each other.
  auto next = allocations.lower_bound(address);
  if (next != allocations.end() && next->first - address < bytes)
    return !next->second.isFreed;
  if (next == allocations.begin())
    return false;
  const Allocation &before = std::prev(next)->second;
  return !before.isFreed && address - before.base < before.size;
}

std::string DeviceMemory::describe(uint64_t address) const {
  char text[64];
  std::snprintf(text, sizeof text, "address 0x%llx",
                static_cast<unsigned long long>(address));
  std::string result = text;
  auto next = allocations.upper_bound(address);
  // Of those on both sides the nearer one.
  const Allocation *nearest = nullptr;
  uint64_t distance = uint64_t(1) << 32; // bytes; farther ones say nothing
  if (next != allocations.begin()) {
    const Allocation &each = std::prev(next)->second;
    uint64_t offset = address - each.base;
    distance = offset < each.size ? 0 : offset - each.size;
    nearest = &each;
    if (offset < each.size)
      return result + ": " + std::to_string(offset) + " bytes into " +
             (each.isFreed ? "freed " : "") + each.origin + " of " +
             std::to_string(each.size) + " bytes";
  }
  if (next != allocations.end() && next->first - address <= distance)
    return result + ": " + std::to_string(next->first - address) +
           " bytes before " + next->second.origin + " of " +
           std::to_string(next->second.size) + " bytes";
  if (!nearest || distance >= uint64_t(1) << 32)
    return result + ": near nothing that is allocated";
  return result + ": " + std::to_string(distance) + " bytes past the end of " +
         (nearest->isFreed ? "freed " : "") + nearest->origin + " of " +
         std::to_string(nearest->size) + " bytes";
}

} // namespace ptx
