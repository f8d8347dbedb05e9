#!/bin/sh
# Run as the learner. Lessons that are not in their home yet are copied there; what is there already is theirs and stays.
mkdir -p "$HOME/lessons"
(cd "$TLCOURSE_LESSONS" && find . -type d -exec mkdir -p "$HOME/lessons/{}" \; &&
  find . -type f -exec sh -c 'for file; do [ -e "$HOME/lessons/$file" ] || cp "$file" "$HOME/lessons/$file"; done' sh {} +)
# The lessons as they were handed out last, to copy from: for a file that was spoilt, or came during the lesson.
[ -L "$HOME/as-handed-out" ] || [ ! -e "$HOME/as-handed-out" ] && ln -sfn "$TLCOURSE_LESSONS" "$HOME/as-handed-out"
exec jupyterhub-singleuser "$@"
