/* Folders that a command writes to. */
#ifndef SNN_FOLDERS_H
#define SNN_FOLDERS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the folder, and those that it lies in, where it is not there, and sees
 * that files can be made in it. 0, or an errno. */
int snn_folder_need(const char *folder);

#ifdef __cplusplus
}
#endif
#endif
