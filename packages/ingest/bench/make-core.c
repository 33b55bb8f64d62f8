/*
 * make-core KIND MIB SEED > FILE
 *
 * The image of a core: an ELF header, one segment, and in it memory as a server has it.
 *   half-zero     half zero pages in runs, the rest objects with pointers, text, sparse integers
 *                 and a tenth of random bytes
 *   compressible  the same without the zero pages
 *   random        random bytes
 */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, MAX_RUN = 512 };

static uint64_t state;
static uint64_t rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static const char *WORDS[] = {
    "GET", "POST", "/api/v1/namespaces/", "default", "pods", "containerStatuses", "user-agent",
    "kubelet/v1.37.0", "error", "timeout", "connection", "reset", "by", "peer", "info", "level=",
    "msg=", "ts=", "2026-11-", "trace_id=", "true", "false", "null", "\"name\":", "\"id\":",
    "\"value\":", "{", "}", "[", "]", ",", "java.lang.String", "com.example.service",
    "OrderController", "handleRequest", "0x7f", "heap", "alloc", "The", "quick"};
static const char *word(void) { return WORDS[rnd() % (sizeof WORDS / sizeof *WORDS)]; }

/* structs of 6 to 13 words: size, vtable, pointers near and far, small numbers, short strings */
static void objects(char *bytes, size_t length, uint64_t base, uint64_t span) {
  uint64_t vtables[8];
  for (int i = 0; i < 8; i++) vtables[i] = 0x555555550000ull + ((rnd() % 4096) << 4);
  for (size_t at = 0; at + 13 * 8 <= length;) {
    uint64_t *object = (uint64_t *)(bytes + at);
    int kind = rnd() % 8, fields = 4 + kind;
    object[0] = 0x71;
    object[1] = vtables[kind];
    for (int f = 2; f < 2 + fields; f++) {
      switch (rnd() % 6) {
        case 0: object[f] = 0; break;
        case 1: object[f] = rnd() % 1024; break;
        case 2:
        case 3: object[f] = base + (rnd() % length & ~15ull); break;
        case 4: object[f] = base + (rnd() % span & ~15ull); break;
        default: strncpy((char *)&object[f], word(), 8);
      }
    }
    at += (2 + fields) * 8;
  }
}

static void text(char *bytes, size_t length) {
  for (size_t at = 0; at + 64 < length;) {
    at += sprintf(bytes + at, "%s", word());
    if (rnd() % 3 == 0) at += sprintf(bytes + at, "%u", (unsigned)(rnd() % 100000));
    bytes[at++] = rnd() % 12 == 0 ? '\n' : ' ';
  }
}

static void integers(char *bytes, size_t length) {
  uint32_t *numbers = (uint32_t *)bytes;
  for (size_t i = 0; i < length / 4; i++) numbers[i] = rnd() % 3 ? 0 : rnd() % 50000;
}

static void noise(char *bytes, size_t length) {
  uint64_t *words = (uint64_t *)bytes;
  for (size_t i = 0; i < length / 8; i++) words[i] = rnd() * 0x2545F4914F6CDD1Dull;
}

static void header(uint64_t length) {
  char page[PAGE] = {0};
  Elf64_Ehdr *elf = (Elf64_Ehdr *)page;
  memcpy(elf->e_ident, ELFMAG, SELFMAG);
  elf->e_ident[EI_CLASS] = ELFCLASS64;
  elf->e_ident[EI_DATA] = ELFDATA2LSB;
  elf->e_ident[EI_VERSION] = EV_CURRENT;
  elf->e_type = ET_CORE;
  elf->e_phoff = sizeof *elf;
  elf->e_phentsize = sizeof(Elf64_Phdr);
  elf->e_phnum = 1;
  Elf64_Phdr *segment = (Elf64_Phdr *)(page + sizeof *elf);
  segment->p_type = PT_LOAD;
  segment->p_offset = PAGE;
  segment->p_filesz = segment->p_memsz = length - PAGE;
  fwrite(page, PAGE, 1, stdout);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: make-core half-zero|compressible|random MIB SEED\n");
    return 2;
  }
  int zero_percent = strcmp(argv[1], "half-zero") == 0 ? 50 : 0;
  int random = strcmp(argv[1], "random") == 0;
  uint64_t pages = strtoull(argv[2], 0, 10) << 8;
  state = 0x9E3779B97F4A7C15ull ^ (strtoull(argv[3], 0, 10) * 0xD1B54A32D192ED03ull);
  header(pages * PAGE);

  static char run[MAX_RUN * PAGE];
  uint64_t zeros = 0;
  for (uint64_t done = 1; done < pages;) {
    /* most runs are short, some are long; the share of zero pages is kept close */
    uint64_t size = 1 + (rnd() % 4 == 0 ? rnd() % MAX_RUN : rnd() % 24);
    if (size > pages - done) size = pages - done;
    size_t length = size * PAGE;
    memset(run, 0, length);
    int zero = zeros * 100 < done * zero_percent && rnd() % 100 >= 15;
    int kind = rnd() % 100;
    if (zero) zeros += size;
    else if (random || kind >= 90) noise(run, length);
    else if (kind < 55) objects(run, length, 0x7f3100000000ull + done * PAGE, pages * PAGE);
    else if (kind < 80) text(run, length);
    else integers(run, length);
    if (fwrite(run, length, 1, stdout) != 1) {
      perror("write");
      return 1;
    }
    done += size;
  }
  return fflush(stdout) ? 1 : 0;
}
