# Asks a Django project what `collectstatic` would do, and prints the answer as one JSON object.
# Run as: python -c <this> /path/to/manage.py '{"ignore": [...], "default_ignore": true}'
#
# The project's own manage.py is run, so that it finds its settings in its own way. Only what it
# would start at the end is replaced. It may print: its standard output becomes standard error, and
# the answer, marked, goes to the descriptor that was standard output.
import importlib.abc
import importlib.util
import json
import os
import runpy
import sys

MARK = b"\0whitering\0"
OWNERS = ("django.", "whitenoise.")
METHODS = (
    "file_hash hashed_name url_converter stored_name _stored_name clean_name hash_key "
    "post_process _post_process post_process_with_compression save_manifest "
    "create_compressor compress_files _save"
).split()


def main():
    answers = os.dup(1)
    os.dup2(2, 1)
    manage, asked = os.path.abspath(sys.argv[1]), json.loads(sys.argv[2])
    directory = os.path.dirname(manage)
    if sys.path and sys.path[0] == "":
        sys.path[0] = directory
    elif directory not in sys.path:
        sys.path.insert(0, directory)
    # What a manage.py looks at that treats some commands in another way.
    sys.argv = [manage, "collectstatic"]

    def answer(*_):
        import django

        django.setup()
        text = MARK + json.dumps(describe(asked)).encode() + MARK
        while text:
            text = text[os.write(answers, text):]

    replace = Replace(answer)
    if Replace.MODULE in sys.modules:
        replace.replace_in(sys.modules[Replace.MODULE])
    else:
        sys.meta_path.insert(0, replace)
    runpy.run_path(manage, run_name="__main__")


class Replace(importlib.abc.MetaPathFinder):
    """Lets `django.core.management` be imported when and from where the project wants, and then
    replaces what its manage.py calls."""

    MODULE = "django.core.management"

    def __init__(self, answer):
        self.answer = answer

    def find_spec(self, name, path=None, target=None):
        if name != self.MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                self.replace_in(module)

            spec.loader.exec_module = exec_module
        return spec

    def replace_in(self, module):
        module.ManagementUtility.execute = self.answer


def describe(asked):
    import django
    from django.apps import apps
    from django.conf import settings

    answer = {"series": django.VERSION[:2], "version": django.get_version()}
    answer.update(checks=None, settings=None)
    if apps.is_installed("django.contrib.staticfiles"):
        answer["checks"] = describe_checks()
        if not any(each["is_error"] for each in answer["checks"]):
            answer["settings"] = describe_settings(asked, apps, settings)
    return answer


def describe_settings(asked, apps, settings):
    from django.contrib.staticfiles import storage as module

    # A broken manifest of an earlier run is no obstacle: it will be replaced.
    module.ManifestFilesMixin.read_manifest = lambda self: None
    patterns = list(asked["ignore"])
    if asked["default_ignore"]:
        patterns += apps.get_app_config("staticfiles").ignore_patterns
    return {
        "static_url": str(settings.STATIC_URL),
        "storage": describe_storage(module.staticfiles_storage, module),
        "skip_extensions": texts(getattr(settings, "WHITENOISE_SKIP_COMPRESS_EXTENSIONS", None)),
        "ignore": texts(patterns),
        "finders": describe_finders(sorted({os.path.normpath(each) for each in patterns})),
    }


def texts(values):
    return None if values is None else [str(value) for value in values]


def octets(name):
    """A file name as it is on disk, one character for each byte: JSON has no better place for
    bytes that are not UTF-8."""
    return os.fsencode(name).decode("latin-1")


def describe_checks():
    """The system checks that `collectstatic` runs first."""
    from django.core import checks

    return [
        {"is_error": each.is_serious(), "text": each.msg + " (%s)" % each.id}
        for each in checks.run_checks(tags=[checks.Tags.staticfiles])
        if not each.is_silenced()
    ]


def describe_storage(storage, module):
    from django.core.files.storage import FileSystemStorage

    kind = storage.__class__
    local = isinstance(storage, FileSystemStorage)
    location = getattr(storage, "location", None) if local else None
    hashed, manifest = module.HashedFilesMixin, module.ManifestFilesMixin
    return {
        "name": kind.__module__ + "." + kind.__qualname__,
        "is_local": local,
        "location": octets(os.path.abspath(location)) if location else None,
        "is_hashed": issubclass(kind, hashed),
        "has_manifest": issubclass(kind, manifest),
        "is_compressed": any(
            each.__module__.startswith("whitenoise.") and "Compressed" in each.__name__
            for each in kind.__mro__
        ),
        "js_modules": bool(getattr(storage, "support_js_module_import_aggregation", False)),
        "keep_only_hashed": bool(getattr(storage, "keep_only_hashed_files", False)),
        "manifest_strict": getattr(storage, "manifest_strict", None),
        "unfollowed": unfollowed(storage, kind, hashed, manifest),
    }


def unfollowed(storage, kind, hashed, manifest):
    """What the storage does in another way than Django's and WhiteNoise's own."""
    found = []
    for name in METHODS:
        owner = next((each for each in kind.__mro__ if name in vars(each)), None)
        if owner is not None and not owner.__module__.startswith(OWNERS):
            found.append("%s.%s()" % (owner.__name__, name))
    if issubclass(kind, hashed):
        for name in ("patterns", "_js_module_import_aggregation_patterns"):
            if getattr(kind, name, None) != getattr(hashed, name, None):
                found.append("its own '%s'" % name)
        for name in ("max_post_process_passes", "default_template"):
            if getattr(storage, name, None) != getattr(hashed, name, None):
                found.append("%s = %r" % (name, getattr(storage, name, None)))
        if getattr(storage, "keep_intermediate_files", False):
            found.append("keep_intermediate_files")
    if issubclass(kind, manifest):
        if storage.manifest_name != manifest.manifest_name:
            found.append("manifest_name = %r" % (storage.manifest_name,))
        if storage.manifest_storage is not getattr(storage, "_wrapped", storage):
            found.append("a manifest_storage of its own")
    return found + unfollowed_modes(storage)


def unfollowed_modes(storage):
    found = []
    mode = getattr(storage, "file_permissions_mode", 0o644)
    if mode not in (None, 0o644):
        found.append("FILE_UPLOAD_PERMISSIONS = 0o%o" % mode)
    mode = getattr(storage, "directory_permissions_mode", None)
    if mode is not None:
        found.append("FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o%o" % mode)
    return found


def describe_finders(patterns):
    from django.contrib.staticfiles.finders import get_finders

    found = []
    for finder in get_finders():
        kind, files, without_path = finder.__class__, [], None
        for path, storage in finder.list(patterns):
            prefix = getattr(storage, "prefix", None)
            name = os.path.join(prefix, path) if prefix else path
            try:
                files.append((octets(name), octets(storage.path(path))))
            except NotImplementedError:
                without_path = without_path or path
        name = kind.__module__ + "." + kind.__qualname__
        found.append({"name": name, "files": files, "without_path": without_path})
    return found


main()
