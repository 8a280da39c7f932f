"""The disk: the user cache, folders claimed by a build, files replaced in one step."""
