from build_css import problems, squeeze


def test_rules_are_squeezed() -> None:
    assert squeeze("/* x */\na {\n  color: red;\n}\n") == "a{color:red;}"


def test_braces_must_match() -> None:
    assert problems("a.css", "a { }\n") == []
    assert problems("a.css", "a { }\n}") == ["a.css:2:1: error: nothing is open here"]
    assert problems("a.css", "a {\n") == ["a.css:1:1: error: a brace is not closed"]
