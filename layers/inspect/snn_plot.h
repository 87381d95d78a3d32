/* A picture of numbers layer by layer: panels over one axis of layers. */
#ifndef SNN_PLOT_H
#define SNN_PLOT_H

#ifdef __cplusplus
extern "C" {
#endif

/* One panel. Values at or below 0 lie on the lower edge, values that are not
 * finite are drawn as a cross on the upper one. */
typedef struct {
    const char *title;          /* capital letters, digits, blanks and . - / ' */
    const double *value;        /* [count] */
    const double *from, *to;    /* [count], bars around the values; or NULL */
    double low, high;           /* of the axis, logarithmic; 0 < low < high */
    double band_low, band_high; /* shaded: where values should lie; 0: none */
} snn_panel;

/* Writes a PNG of `panels` panels over `count` layers with these numbers. 0
 * and a message on stderr where that fails; the file is then as it was. */
int snn_plot(const char *file, const snn_panel *panel, int panels,
             const int *number, int count);

#ifdef __cplusplus
}
#endif
#endif
