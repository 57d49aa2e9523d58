use super::*;

fn cleaned(schema: &str, form: SchemaForm) -> String {
    let json = Json::parse(schema).expect("test schema");
    clean(&json, form, &[]).get().to_string()
}

#[test]
fn a_schema_that_needs_nothing_keeps_its_bytes() {
    let schema = r#"{ "type":"object", "properties": {"$id": {"type":"string"}, "n":{"minimum":1e3}}, "additionalProperties":false }"#;
    let without_id = schema.replace("\"$id\"", "\"id\"");
    assert_eq!(cleaned(&without_id, SchemaForm::Plain), without_id);
}

#[test]
fn annotations_at_the_root_go_and_the_rest_keeps_its_bytes() {
    assert_eq!(
        cleaned(
            r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{ "a" : {"type":"string"} },"$comment":"x"}"#,
            SchemaForm::Plain
        ),
        r#"{"type":"object","properties":{ "a" : {"type":"string"} }}"#
    );
}

#[test]
fn annotations_below_go_but_a_property_of_that_name_stays() {
    assert_eq!(
        cleaned(
            r#"{"type":"object","properties":{"$id":{"type":"string","$comment":"x"},"b":{"enum":["$id"],"default":{"$schema":"1"}}}}"#,
            SchemaForm::Plain
        ),
        r#"{"type":"object","properties":{"$id":{"type":"string"},"b":{"enum":["$id"],"default":{"$schema":"1"}}}}"#
    );
}

#[test]
fn a_bare_object_gets_properties_and_an_empty_schema_a_type() {
    assert_eq!(cleaned(r#"{"type":"object"}"#, SchemaForm::Plain), r#"{"type":"object","properties":{}}"#);
    assert_eq!(cleaned("{}", SchemaForm::Plain), r#"{"type":"object","properties":{}}"#);
    assert_eq!(cleaned("true", SchemaForm::Plain), r#"{"type":"object","properties":{}}"#);
}

#[test]
fn a_union_at_the_root_becomes_one_object() {
    assert_eq!(
        cleaned(
            r#"{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"number"}}}]}"#,
            SchemaForm::Plain
        ),
        r#"{"properties":{"a":{"type":"string"},"b":{"type":"number"}},"type":"object"}"#
    );
}

#[test]
fn mistral_takes_no_closed_objects() {
    assert_eq!(
        cleaned(
            r#"{"type":"object","properties":{"a":{"type":"object","additionalProperties":false},"m":{"additionalProperties":{"type":"string"}}},"additionalProperties":false}"#,
            SchemaForm::Mistral
        ),
        r#"{"type":"object","properties":{"a":{"type":"object"},"m":{"additionalProperties":{"type":"string"}}}}"#
    );
}

#[test]
fn moonshot_wants_tuples_as_prefix_items_and_types_inside_branches() {
    assert_eq!(
        cleaned(
            r#"{"type":"object","properties":{"t":{"type":"array","items":[{"type":"string"}]},"u":{"type":"string","anyOf":[{"minLength":1},{"type":"null"}]}}}"#,
            SchemaForm::Moonshot
        ),
        r#"{"type":"object","properties":{"t":{"type":"array","prefixItems":[{"type":"string"}]},"u":{"anyOf":[{"minLength":1,"type":"string"},{"type":"null"}]}}}"#
    );
}

#[test]
fn gemini_gets_its_subset() {
    assert_eq!(
        cleaned(
            r#"{"$schema":"x","type":"object","properties":{"k":{"const":"a"},"n":{"type":["integer","null"],"exclusiveMinimum":0},"o":{"anyOf":[{"type":"string","format":"uri"},{"type":"null"}],"default":null}},"required":["k","gone"],"additionalProperties":false}"#,
            SchemaForm::Gemini
        ),
        r#"{"type":"object","properties":{"k":{"enum":["a"],"type":"string"},"n":{"type":"integer","nullable":true},"o":{"nullable":true,"type":"string"}},"required":["k"]}"#
    );
}

#[test]
fn gemini_references_are_inlined_and_cycles_are_cut() {
    let cleaned = cleaned(
        r##"{"type":"object","properties":{"tree":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}}}"##,
        SchemaForm::Gemini,
    );
    assert!(!cleaned.contains("$ref") && !cleaned.contains("$defs"), "{cleaned}");
    assert_eq!(cleaned.matches("\"next\"").count(), MAX_INLINE_IN_TEST, "{cleaned}");
}

/// The reference may stand inside itself this often.
const MAX_INLINE_IN_TEST: usize = 4;

#[test]
fn references_that_multiply_do_not_explode() {
    let mut schema = String::from(r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{"##);
    for i in 0..30 {
        let next = i + 1;
        schema.push_str(&format!(
            r##""d{i}":{{"type":"object","properties":{{"l":{{"$ref":"#/$defs/d{next}"}},"r":{{"$ref":"#/$defs/d{next}"}}}}}},"##
        ));
    }
    schema.push_str(r#""d30":{"type":"string"}}}"#);
    assert!(cleaned(&schema, SchemaForm::Gemini).len() < 4_000_000);
}

#[test]
fn llama_patterns_are_anchored() {
    assert_eq!(
        cleaned(
            r#"{"type":"object","properties":{"p":{"type":"string","pattern":"a+"},"q":{"pattern":"^b$"}}}"#,
            SchemaForm::LlamaCpp
        ),
        r#"{"type":"object","properties":{"p":{"type":"string","pattern":"^.*(a+).*$"},"q":{"pattern":"^b$"}}}"#
    );
}

#[test]
fn strict_needs_every_object_closed_and_every_property_required() {
    let strict = |schema: &str| is_strict(&Json::parse(schema).expect("test schema"));
    assert!(strict(
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#
    ));
    assert!(!strict(r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#));
    assert!(!strict(
        r#"{"type":"object","properties":{"a":{"type":"object"}},"required":["a"],"additionalProperties":false}"#
    ));
}
