//! The questions that `collect --django` puts to a project, asked of a stand-in for Django by a real
//! Python: how manage.py is run, how names travel, what is noticed. The real Django is asked by the
//! live comparison, not here.
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

/// As much of Django as the questions touch.
const STAND_IN: [(&str, &str); 9] = [
    (
        "django/__init__.py",
        "VERSION = (6, 1, 0)\nget_version = lambda: '6.1'\ndef setup(): import project\n",
    ),
    (
        "django/apps.py",
        "class apps:\n\
         \x20 is_installed = lambda name: True\n\
         \x20 get_app_config = lambda name: type('App', (), {'ignore_patterns': ['CVS']})\n",
    ),
    ("django/conf.py", "class settings:\n  STATIC_URL = '/s/'\n"),
    (
        "django/core/management/__init__.py",
        "import sys\n\
         class ManagementUtility:\n\
         \x20 def __init__(self, argv): pass\n\
         \x20 def execute(self): sys.exit('the command itself was run')\n\
         def execute_from_command_line(argv): ManagementUtility(argv).execute()\n",
    ),
    (
        "django/core/checks.py",
        "class Tags: staticfiles = 1\n\
         class Check:\n\
         \x20 msg, id = 'there is no directory x', 'x.W004'\n\
         \x20 is_silenced = is_serious = lambda self: False\n\
         run_checks = lambda tags: [Check()]\n",
    ),
    (
        "django/core/files/storage.py",
        "import os\n\
         class FileSystemStorage:\n\
         \x20 prefix = None\n\
         \x20 def __init__(self, location): self.location = location\n\
         \x20 def path(self, name): return os.path.join(self.location, name)\n",
    ),
    (
        "django/contrib/staticfiles/storage.py",
        "from django.core.files.storage import FileSystemStorage\n\
         class HashedFilesMixin:\n\
         \x20 patterns, max_post_process_passes = (), 5\n\
         \x20 def file_hash(self): pass\n\
         class ManifestFilesMixin(HashedFilesMixin):\n\
         \x20 manifest_name = 'staticfiles.json'\n\
         \x20 def read_manifest(self): raise ValueError('it is broken')\n\
         def __getattr__(name):\n\
         \x20 if name != 'staticfiles_storage': raise AttributeError(name)\n\
         \x20 import project\n\
         \x20 return project.Storage('out')\n",
    ),
    (
        "django/contrib/staticfiles/finders.py",
        "import project\nget_finders = lambda: [project.Finder()]\n",
    ),
    (
        "manage.py",
        "import os, sys\n\
         print('manage.py says hello')\n\
         os.system('echo its children too')\n\
         if sys.argv[1] == 'collectstatic':\n\
         \x20 from django.core.management import execute_from_command_line\n\
         \x20 sys.exit(execute_from_command_line(sys.argv))\n",
    ),
];

const PROJECT: &str = "\
import os
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import FileSystemStorage

class Storage(ManifestFilesMixin, FileSystemStorage):
    def __init__(self, location):
        super().__init__(location)
        self.manifest_storage = self
        self.read_manifest()
    def file_hash(self): return 'mine'

class Finder:
    def list(self, patterns):
        assert patterns == ['*.map', 'CVS'], patterns
        storage = FileSystemStorage(os.path.join(os.getcwd(), 'assets'))
        storage.prefix = 'pre'
        yield 'a.txt', storage
        yield os.fsdecode(b'\\xff.txt'), storage
";

/// A project in a new directory, with `project.py` as given.
fn project(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &OsStr, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (name, text) in STAND_IN {
        write(name.as_ref(), text);
    }
    write("project.py".as_ref(), text);
    write("assets/a.txt".as_ref(), "a");
    write(OsStr::from_bytes(b"assets/\xff.txt"), "b");
    directory
}

fn collect(project: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_whitering"))
        .args(["collect", "--django", "manage.py", "--python", "python3"])
        .args(["--ignore", "*.map", "--no-cache", "--no-compress"])
        .current_dir(project)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap()
}

fn has_python() -> bool {
    let python = Command::new("python3").arg("--version").output();
    let has = python.is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("skipped: there is no python3 here");
    }
    has
}

#[test]
fn takes_what_the_project_says() {
    if !has_python() {
        return;
    }
    let directory = project(PROJECT);
    let output = collect(directory.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    // What the project prints is kept from our result, and is not lost.
    let result = String::from_utf8(output.stdout).unwrap();
    assert!(!result.contains("hello") && !result.contains("children"));
    for part in [
        "manage.py says hello\n",
        "its children too\n",
        "Django 6.1, 2 files from 1 finder, project.",
        "warning: there is no directory x (x.W004)\n",
        "Storage.file_hash(); not followed here\n",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    // STATIC_ROOT is the project's, relative to where its manage.py is.
    let out = directory.path().join("out");
    assert_eq!(fs::read(out.join("pre/a.txt")).unwrap(), b"a");
    let odd = out.join(OsStr::from_bytes(b"pre/\xff.txt"));
    assert_eq!(fs::read(odd).unwrap(), b"b");
}

#[test]
fn leaves_a_failing_project_to_speak_for_itself() {
    if !has_python() {
        return;
    }
    let directory = project("import nothing_of_this_name\n");
    let output = collect(directory.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("No module named 'nothing_of_this_name'\n"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("error: ") && last.contains("--python"),
        "{said}"
    );
    assert!(!directory.path().join("out").exists());
}

#[test]
fn a_finder_without_paths_is_named() {
    if !has_python() {
        return;
    }
    let remote = "
        def path(name): raise NotImplementedError
        storage.path = path
        yield";
    let text = PROJECT.replacen("\n        yield", remote, 1);
    let directory = project(&text);
    let output = collect(directory.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the finder project.Finder lists 'a.txt', which has no path"),
        "{said}"
    );
}
