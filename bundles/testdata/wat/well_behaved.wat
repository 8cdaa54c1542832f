;; Nothing hostile: what the others are measured against.
