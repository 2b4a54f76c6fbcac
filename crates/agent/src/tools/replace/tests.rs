use super::*;

fn done(text: &str, old: &str, new: &str) -> Replaced {
    replace(text, old, new, false).unwrap()
}

#[test]
fn each_case_of_a_match() {
    let cases: &[(&str, &str, &str, &str, &str)] = &[
        ("a word in a line", "let a = 1;\n", "1", "2", "let a = 2;\n"),
        ("at the very end, without a line end", "a\nb", "b", "c", "a\nc"),
        ("several lines", "a\nb\nc\n", "a\nb\n", "x\n", "x\nc\n"),
        ("a deletion", "a\nb\nc\n", "b\n", "", "a\nc\n"),
        ("characters of several bytes", "süß €\n", "ß €", "ss", "süss\n"),
        (
            "spaces at line ends in the file",
            "if x:  \n    y\t\nz\n",
            "if x:\n    y\n",
            "if w:\n    v\n",
            "if w:\n    v\nz\n",
        ),
        ("spaces at line ends in oldText", "a\nb\n", "a  \nb ", "c", "c\n"),
        (
            "no indentation in oldText",
            "{\n    a;\n    b;\n}\n",
            "a;\nb;",
            "a;\nc;\nd;",
            "{\n    a;\n    c;\n    d;\n}\n",
        ),
        (
            "too little of it",
            "        if a {\n            b\n        }\n",
            "    if a {\n        b\n    }",
            "    if c {\n        b\n    }",
            "        if c {\n            b\n        }\n",
        ),
        (
            "too much of it",
            "if a {\n  b\n}\n",
            "    if a {\n      b\n    }",
            "    if a {\n      c\n      d\n    }",
            "if a {\n  c\n  d\n}\n",
        ),
        (
            "tabs in the file, spaces in oldText",
            "{\n\tif a {\n\t\tb\n\t}\n}\n",
            "    if a {\n        b\n    }",
            "    if a {\n        c\n    }",
            "{\n\tif a {\n\t\tc\n\t}\n}\n",
        ),
        ("deeper than any line that was found", "\ta\n", "  a", "  a\n    b", "\ta\n\t  b\n"),
        ("newText indented as the file is", "    a\n    b\n", "a\nb", "    a\n    c", "    a\n    c\n"),
        ("a blank line between", "  a\n\n  b\n", "a\n\nb", "a\n\nc", "  a\n\n  c\n"),
        ("whole lines deleted, loosely", "a\n  b\nc\n", "    b", "", "a\nc\n"),
        ("the last line, loosely, without a line end", "a\n  b", "   b\n", "   c\n", "a\n  c"),
        ("CRLF among LF", "a\r\nb\nc\n", "a\nb", "x\ny", "x\r\ny\r\nc\n"),
    ];
    for (what, text, old, new, expected) in cases {
        let replaced = replace(text, old, new, false);
        assert_eq!(replaced.as_ref().map(|done| done.text.as_str()), Ok(*expected), "{what}");
    }
}

#[test]
fn what_matches_to_the_letter_is_not_matched_loosely_as_well() {
    let replaced = done("a\n  a\n", "  a", "b");
    assert_eq!((replaced.text.as_str(), replaced.loosely), ("a\nb\n", false));
}

#[test]
fn what_occurs_twice_is_refused_with_its_places_or_replaced_everywhere() {
    let text = "x = 1\ny\nx = 1\n";
    let refused = replace(text, "x = 1", "x = 2", false).unwrap_err();
    assert_eq!(refused, "oldText occurs 2 times, at lines 1, 3. Give more of the lines around it, or set replaceAll.");
    let all = replace(text, "x = 1", "x = 2", true).unwrap();
    assert_eq!((all.text.as_str(), all.places), ("x = 2\ny\nx = 2\n", vec![0..1, 2..3]));

    let loosely = replace("  f()\ng()\n\tf()\n", "    f()", "h()", false).unwrap_err();
    assert!(loosely.starts_with("oldText occurs 2 times when white space is ignored, at lines 1, 3."), "{loosely}");
    let all = replace("  f()\ng()\n\tf()\n", "    f()", "    h()", true).unwrap();
    assert_eq!((all.text.as_str(), all.loosely), ("  h()\ng()\n\th()\n", true));
    let many = replace(&"z\n".repeat(40), "z", "y", false).unwrap_err();
    assert!(many.contains("40 times, at lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …."), "{many}");
}

#[test]
fn what_is_not_there_is_refused_with_what_is_like_it() {
    let text = "fn main() {\n    let answer = compute(6, 7);\n    print(answer);\n}\n";
    let refused = replace(text, "    let answer = compute(6, 8);\n", "", false).unwrap_err();
    assert!(refused.contains("     2\t    let answer = compute(6, 7);\n"), "{refused}");
    let refused = replace(text, "struct Zebra;", "x", false).unwrap_err();
    assert!(refused.contains("Nothing in the file is similar"), "{refused}");
    assert!(replace("", "a", "b", false).unwrap_err().contains("not found"));
    assert!(replace("abc", "  \n ", "b", false).unwrap_err().contains("not found"));
}

#[test]
fn what_would_change_nothing_is_refused() {
    assert!(replace("a", "a", "a", false).unwrap_err().contains("the same"));
    assert!(replace("a", "", "b", false).unwrap_err().contains("empty"));
    assert!(replace("    a\n", "a ", "    a", false).unwrap_err().contains("already"));
}

#[test]
fn places_count_the_lines_of_the_new_text() {
    let replaced = replace("a\nb\nc\nb\n", "b\n", "1\n2\n3\n", true).unwrap();
    assert_eq!(replaced.places, vec![1..4, 5..8]);
    assert_eq!(done("a\nb\nc\n", "b\n", "").places, vec![1..1]);
    assert_eq!(done("one two three\n", "two", "2\n2").places, vec![0..2]);
}
