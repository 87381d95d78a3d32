#include "snn_progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS = 80, MOST_COLUMNS = 240 };

/* From this share on it is worth saying that loading starves the step. */
static const double starving = .05;

static int is_open;     /* a line that does not end yet */

int snn_is_terminal(void) { return isatty(STDOUT_FILENO); }

static int width(void)
{
    struct winsize size;
    int columns = COLUMNS;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col) columns = size.ws_col;
    return columns < MOST_COLUMNS ? columns : MOST_COLUMNS;
}

/* Appends two blanks and the words where both fit. */
static void append(char *text, int columns, const char *format, ...)
{
    char words[MOST_COLUMNS];
    va_list arguments;
    size_t length = strlen(text);
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (length + 2 + strlen(words) > (size_t)columns) return;
    if (length) strcat(text, "  ");
    strcat(text, words);
}

static void append_time(char *text, int columns, double seconds)
{
    long s = (long)(seconds + .5), minutes = s / 60;
    if (minutes < 60) append(text, columns, "%ld:%02ld left", minutes, s % 60);
    else append(text, columns, "%ld:%02ld:%02ld left", minutes / 60, minutes % 60, s % 60);
}

void snn_progress_text(const snn_progress *p, char *text, int columns)
{
    text[0] = '\0';
    if (p->iterations) append(text, columns, "%.0f/%.0f", p->iteration, p->iterations);
    else append(text, columns, "%.0f", p->iteration);
    append(text, columns, "loss %.3g (mean %.3g)", p->loss, p->mean_loss);
    if (p->measure && p->last >= 0) {
        append(text, columns, "%s %.3f (best %.3f at %.0f)", p->measure, p->last, p->best, p->best_iteration);
    }
    if (p->iterations) append_time(text, columns, p->seconds_left);
    append(text, columns, "%.3g images/s", p->images_per_second);
    if (p->waited > starving) append(text, columns, "waits for images %.0f %%", 100 * p->waited);
    append(text, columns, "rate %.3g", p->rate);
}

void snn_progress_show(const snn_progress *p)
{
    char text[MOST_COLUMNS + 1];
    snn_progress_text(p, text, width() - 1);
    printf("\r%s\033[K", text);
    fflush(stdout);
    is_open = 1;
}

void snn_progress_end(void)
{
    if (is_open) printf("\n");
    is_open = 0;
    fflush(stdout);
}
