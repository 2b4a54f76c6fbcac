//! Languages: by the endings of files, and by the names that people have for them.

/// The language of a file, by its name.
pub(super) fn of_file(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = match name {
        "Makefile" | "makefile" | "GNUmakefile" => "make",
        "Dockerfile" | "Containerfile" => "docker",
        "CMakeLists.txt" => "cmake",
        _ => return of_ending(name.rsplit_once('.')?.1),
    };
    Some(known)
}

fn of_ending(ending: &str) -> Option<&'static str> {
    let language = match ending.to_ascii_lowercase().as_str() {
        "rs" => "rust",
        "ts" | "tsx" | "mts" | "cts" => "typescript",
        "js" | "jsx" | "mjs" | "cjs" => "javascript",
        "py" | "pyi" => "python",
        "go" => "go",
        "java" => "java",
        "kt" | "kts" => "kotlin",
        "swift" => "swift",
        "c" | "h" => "c",
        "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => "c++",
        "cs" => "c#",
        "fs" | "fsx" => "f#",
        "rb" => "ruby",
        "php" => "php",
        "scala" | "sc" => "scala",
        "clj" | "cljs" => "clojure",
        "ex" | "exs" => "elixir",
        "erl" | "hrl" => "erlang",
        "hs" => "haskell",
        "ml" | "mli" => "ocaml",
        "lua" => "lua",
        "pl" | "pm" => "perl",
        "r" => "r",
        "jl" => "julia",
        "dart" => "dart",
        "zig" => "zig",
        "nim" => "nim",
        "sh" | "bash" | "zsh" | "fish" => "shell",
        "ps1" | "psm1" => "powershell",
        "sql" => "sql",
        "html" | "htm" => "html",
        "css" | "scss" | "sass" | "less" => "css",
        "vue" => "vue",
        "svelte" => "svelte",
        "tf" | "tfvars" => "terraform",
        "proto" => "protobuf",
        "graphql" | "gql" => "graphql",
        _ => return None,
    };
    Some(language)
}

/// The one name of a language.
pub(super) fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let one = match name.as_str() {
        "golang" => "go",
        "js" | "jsx" | "node" | "nodejs" | "node.js" | "ecmascript" => "javascript",
        "ts" | "tsx" => "typescript",
        "py" | "python3" => "python",
        "rs" => "rust",
        "rb" => "ruby",
        "cpp" | "cxx" => "c++",
        "csharp" | "cs" => "c#",
        "fsharp" => "f#",
        "sh" | "bash" | "zsh" | "shellscript" => "shell",
        "kt" => "kotlin",
        "scss" | "sass" | "less" => "css",
        "makefile" => "make",
        "dockerfile" => "docker",
        "hcl" => "terraform",
        other => other,
    };
    one.to_owned()
}
