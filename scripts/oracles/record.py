"""Runs the collectstatic of the Django that is installed over cases and prints what came of each as JSON.

For scripts/record-oracles, which says what the cases are and puts the series together. Every case runs in a
child of this process, twice: with directories listed forwards and backwards. Where that makes a difference,
or where only Django's five passes are too few, it runs again with fifty.
"""

import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import traceback
import types

import tree

PASSES_MAX = 50
DECODERS = {".br": "brotli", ".gz": "gzip"}


def main():
    warm_up()
    found = {}
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            case = json.load(file)
        found[os.path.basename(path).removesuffix(".json")] = judge(case, path)
    json.dump(found, sys.stdout)


def warm_up():
    """What every child needs is loaded once."""
    import brotli  # noqa: F401
    import django.contrib.staticfiles.management.commands.collectstatic  # noqa: F401
    import whitenoise.storage  # noqa: F401


def judge(case, path):
    """Django's outcome, as far as it does not depend on the order of directories."""
    forwards, backwards = (in_child(case, order) for order in ("forwards", "backwards"))
    if same(forwards, backwards) and "Max post-process passes" not in forwards.get("fails", ""):
        return forwards
    patient = [in_child(case, order, PASSES_MAX) for order in ("forwards", "backwards")]
    # A reference to a hashed name fails while its file is not written yet, and is found in every later pass.
    settled = [outcome for outcome in patient if "fails" not in outcome] or patient
    if not same(settled[0], settled[-1]):
        sys.exit(f"{path}: depends on the order of directories, even with {PASSES_MAX} passes\n{patient}")
    outcome = settled[0]
    if not same(outcome, forwards) or not same(outcome, backwards):
        outcome["order_dependent"] = True
    return outcome


def same(one, other):
    """Which of several mistakes is reported first is a matter of order too."""
    return one == other or ("fails" in one and "fails" in other)


def in_child(case, order, passes_max=None):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:
                json.dump(collect(case, order, passes_max), pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit(f"{case['description']}: cannot be recorded")
    return json.loads(text)


def collect(case, order, passes_max):
    scratch = tempfile.mkdtemp(prefix="oracle-")
    try:
        return collect_in(scratch, case, order, passes_max)
    finally:
        shutil.rmtree(scratch)


def collect_in(scratch, case, order, passes_max):
    output = os.path.join(scratch, "output")
    directories = []
    for index, source in enumerate(case["sources"]):
        directory = os.path.join(scratch, f"source-{index}")
        tree.write(directory, source["files"])
        prefix = source.get("prefix")
        directories.append((prefix, directory) if prefix else directory)
    if "earlier" in case:
        tree.write(output, case["earlier"])
        for name in case["earlier"]:
            os.utime(os.path.join(output, name), (0, 0))
    set_up(case, directories, output, passes_max)
    list_in_order(order)
    failure = run(case)
    files = tree.read(output)
    if failure:
        return {"fails": failure}
    return written_down(files)


def set_up(case, directories, output, passes_max):
    import django
    from django.conf import settings

    options = {
        "WHITENOISE_KEEP_ONLY_HASHED_FILES": case.get("keep_only_hashed", False),
    }
    if "skip_extensions" in case:
        options["WHITENOISE_SKIP_COMPRESS_EXTENSIONS"] = case["skip_extensions"]
    settings.configure(
        INSTALLED_APPS=["django.contrib.staticfiles"],
        STATICFILES_DIRS=directories,
        STATIC_ROOT=output,
        MEDIA_URL="/media/",
        STATIC_URL=case.get("static_url", "/static/"),
        STORAGES={"staticfiles": {"BACKEND": storage_of(case, passes_max)}},
        USE_TZ=True,
        **options,
    )
    django.setup()


def storage_of(case, passes_max):
    """The name of the storage class, which takes its variations as a project's own subclass would."""
    import whitenoise.storage

    if case.get("storage", "manifest") == "plain":
        return "whitenoise.storage.CompressedStaticFilesStorage"
    variations = {"support_js_module_import_aggregation": case.get("js_modules", False)}
    if passes_max:
        variations["max_post_process_passes"] = passes_max
    base = whitenoise.storage.CompressedManifestStaticFilesStorage
    name = "RecordedStorage"
    setattr(whitenoise.storage, name, type(name, (base,), variations))
    return f"whitenoise.storage.{name}"


def list_in_order(order):
    """Makes the order of directories one that can be repeated, for the storages of Django only."""
    from django.core.files.storage import filesystem

    scandir = os.scandir

    @contextlib.contextmanager
    def listed(path):
        with scandir(path) as entries:
            yield sorted(entries, key=lambda entry: entry.name, reverse=order == "backwards")

    filesystem.os = types.SimpleNamespace(**{**vars(os), "scandir": listed})


def run(case):
    """Why it failed, without what differs from run to run; nothing if it did not."""
    from django.core.management import call_command

    options = {
        "ignore_patterns": case.get("ignore", []),
        "use_default_ignore_patterns": case.get("default_ignore", True),
        "post_process": case.get("post_process", True),
        "clear": case.get("clear", False),
        "link": case.get("link", False),
    }
    try:
        call_command("collectstatic", interactive=False, stdout=io.StringIO(), stderr=io.StringIO(), **options)
    except Exception as error:
        return reason(error)
    return None


def reason(error):
    """The first line of an error and its notes, without paths and addresses of this run."""
    lines = [str(error).split("\n", 1)[0], *getattr(error.__cause__ or error, "__notes__", [])]
    text = f"{type(error).__name__}: " + "\n".join(lines)
    text = re.sub(r" with <[^<>]* object at 0x[0-9a-f]+>", "", text)
    text = re.sub(r"/[^\s']*/oracle-[^/]*", "", text)
    return text.encode(errors="backslashreplace").decode()


def written_down(files):
    manifest = files.pop("staticfiles.json", None)
    variants = {}
    for name in sorted(files):
        original, suffix = os.path.splitext(name)
        if suffix in DECODERS and original in files and decodes(suffix, files[name], files[original]):
            variants.setdefault(original, []).append(suffix[1:])
    for original, suffixes in variants.items():
        for suffix in suffixes:
            del files[f"{original}.{suffix}"]
    outcome = {"files": {name: tree.content_of(files[name]) for name in sorted(files)}, "variants": variants}
    if manifest is not None:
        outcome["manifest"] = in_order(manifest)
    return outcome


def decodes(suffix, variant, original):
    import importlib

    try:
        return importlib.import_module(DECODERS[suffix]).decompress(variant) == original
    except Exception:
        return False


def in_order(manifest):
    """The manifest with its paths in order, which Django writes since 6.0; 5.2 has the order of directories."""
    value = json.loads(manifest)
    value["paths"] = dict(sorted(value["paths"].items()))
    ordered = json.dumps(value)
    if sorted(ordered) != sorted(manifest.decode()):
        raise ValueError("the manifest is not what json.dumps writes")
    return ordered


if __name__ == "__main__":
    main()
