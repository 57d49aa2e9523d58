//! A JSON object whose values stay their own bytes.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use tollgate_dialect::json::{Json, Text, Writer};

pub struct Object<'a> {
    members: Vec<(Text<'a>, Json<'a>)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'a> Object<'a> {
    pub fn parse(body: &'a [u8]) -> Option<Object<'a>> {
        serde_json::from_slice(body).ok()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self.members.iter().map(|(key, value)| key.escaped().len() + value.get().len() + 4).sum::<usize>();
        let mut writer = Writer::with_capacity(size + 2);
        writer.open_object();
        for (key, value) in &self.members {
            // The key is in its escaped form already.
            writer.key(key.escaped()).json(value);
        }
        writer.close_object();
        writer.out
    }

    /// Changes the object that `parents` lead to. Only if `creates`, objects that are missing or null are made; what else is
    /// there and is no object is left alone.
    pub fn within(
        &mut self,
        parents: &[String],
        creates: bool,
        change: &mut dyn FnMut(&mut Object<'_>) -> bool,
    ) -> bool {
        let Some((parent, rest)) = parents.split_first() else { return change(self) };
        if !self.has(parent) {
            if !creates {
                return false;
            }
            self.members.push((Text::plain(parent), Json::EMPTY_OBJECT));
        } else if creates {
            self.replace_if(parent, &Json::EMPTY_OBJECT, |old| old.is_null());
        }
        let mut changed = false;
        for (key, value) in &mut self.members {
            if key.decode() != parent.as_str() || !value.is_object() {
                continue;
            }
            let Some(mut inner) = Object::parse(value.get().as_bytes()) else { continue };
            if !inner.within(rest, creates, change) {
                continue;
            }
            let bytes = String::from_utf8(inner.to_bytes()).expect("written from strings");
            *value = Json::parse(&bytes).expect("written as JSON").into_owned();
            changed = true;
        }
        changed
    }

    pub fn has(&self, key: &str) -> bool {
        self.members.iter().any(|(k, _)| k.decode() == key)
    }

    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|(k, _)| k.decode() != key);
        self.members.len() < before
    }

    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        if self.has(to) {
            return self.remove(from);
        }
        let mut changed = false;
        for (key, _) in self.members.iter_mut().filter(|(k, _)| k.decode() == from) {
            *key = Text::plain(to);
            changed = true;
        }
        changed
    }

    pub fn set(&mut self, key: &str, value: &Json<'static>) -> bool {
        if self.has(key) {
            return self.replace_if(key, value, |old| old != value);
        }
        self.members.push((Text::plain(key), value.clone()));
        true
    }

    pub fn replace_if(&mut self, key: &str, value: &Json<'static>, replace: impl Fn(&Json<'_>) -> bool) -> bool {
        let mut changed = false;
        for (_, old) in self.members.iter_mut().filter(|(k, old)| k.decode() == key && replace(old)) {
            *old = value.clone();
            changed = true;
        }
        changed
    }
}
