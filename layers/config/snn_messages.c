#include "snn_messages.h"
#include "snn_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `key` and `got` may be NULL. */
static void say(FILE *out, const snn_section *s, int line, const char *kind, const char *key,
                const char *before, const char *format, va_list args, const snn_option *got)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    snn_report_to(out, s->file, line, "%s[%s]%s%s: %s%s%s%s%s", kind, s->name, key ? " " : "",
                  key ? key : "", before, text, got ? ", got \"" : "", got ? got->value : "",
                  got ? "\"" : "");
}

static void expect(const snn_section *s, const char *kind, const char *key,
                   const char *expected, va_list args)
{
    const snn_option *o = key ? snn_find(s, key) : NULL;
    say(stderr, s, o ? o->line : s->line, kind, key, "expected ", expected, args, o);
}

int snn_gate_mistake(const snn_section *s, const char *key, const char *expected, ...)
{
    va_list args;
    va_start(args, expected);
    expect(s, "", key, expected, args);
    va_end(args);
    return 1;
}

int snn_gate_warning(const snn_section *s, const char *key, const char *expected, ...)
{
    va_list args;
    va_start(args, expected);
    expect(s, "warning: ", key, expected, args);
    va_end(args);
    return snn_is_strict();
}

int snn_gate_mistake_of(const snn_section *s, const snn_option *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(stderr, s, o ? o->line : s->line, "", o ? o->key : NULL, "", format, args, NULL);
    va_end(args);
    return 1;
}

int snn_gate_warning_of(const snn_section *s, const snn_option *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(stderr, s, o ? o->line : s->line, "warning: ", o ? o->key : NULL, "", format, args, NULL);
    va_end(args);
    return snn_is_strict();
}

void snn_explain(const snn_section *s, int line, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(stdout, s, line, "", key, "", format, args, NULL);
    va_end(args);
}

void snn_reject(const snn_section *s, const char *key, const char *expected, ...)
{
    va_list args;
    fputc('\n', stderr);        /* The host has begun a line for this layer. */
    va_start(args, expected);
    expect(s, "", key, expected, args);
    va_end(args);
    exit(EXIT_FAILURE);
}
