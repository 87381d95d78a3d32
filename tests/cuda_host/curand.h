/* Darknet includes it; nothing of ours needs it. */
