//! A body of which some fields change.

use tollgate_dialect::json::Json;

/// The top-level fields of a body, in their order and with their own bytes.
pub struct Fields(Vec<(String, Box<serde_json::value::RawValue>)>);

impl Fields {
    pub fn take(&mut self, name: &str) -> Option<Box<serde_json::value::RawValue>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// To the front, so that the conversation's bytes keep their place behind.
    pub fn set(&mut self, name: &str, value: &Json<'_>) {
        self.take(name);
        if let Ok(raw) = serde_json::value::RawValue::from_string(value.get().to_string()) {
            self.0.insert(0, (name.to_string(), raw));
        }
    }
}

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl serde::Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
