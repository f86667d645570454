/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_FUZZ_H
#define TENURE_FUZZ_H

/* What the targets share. A target is one function from bytes to nothing: it must neither crash nor
 * leave anything behind, and asserts what holds whatever the bytes are. Inputs are text as far as
 * that goes: it is read by people who look at a crash, and mutates well. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_PARTS_MAX 8
#define FUZZ_PATH_MAX 256

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a string: malloc'ed, ended by a NUL. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The next line of the text, or NULL; it is cut off, *text moves on. */
char *fuzz_line(char **text);
/* The next word of the line, "" at its end (so that whatever is missing counts as 0 or empty). */
char *fuzz_word(char **line);
int64_t fuzz_number(char **line);

/* Cuts the text at lines of "%%"; what is missing becomes NULL. Each part keeps its line ends. */
void fuzz_parts(char *text, char *ret[static FUZZ_PARTS_MAX]);

/* A new directory in memory, removed when the process ends. */
const char *fuzz_directory(void);
/* Empties it. */
void fuzz_directory_clear(void);
/* DIRECTORY/NAME; good for the next fifteen calls. */
const char *fuzz_path(const char *name);
/* Makes the file; NULL removes it. */
void fuzz_file(const char *name, const char *text, size_t length);

#endif
