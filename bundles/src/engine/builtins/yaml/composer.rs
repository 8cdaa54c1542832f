//! Tokens to a graph of nodes: what a YAML document says before its scalars mean anything.

use std::collections::HashMap;

use super::super::Failure;
use super::MAX_DEPTH;
use super::resolve::{Tag, resolve};
use super::scanner::{Scanner, Token, malformed};

/// All tags of a text with their prefixes, in bytes.
const MAX_TAG_BYTES: usize = 16 * 1024 * 1024;

/// The place of a node in [`Graph`].
pub(super) type Id = usize;

/// All nodes of a text; aliases make it more than a tree.
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) tag: Tag,
    /// Whether the text names the tag.
    pub(super) tagged: bool,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(String),
    Sequence(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    /// The name of the anchor and the node it is on.
    Alias(String, Id),
}

impl Graph {
    /// Reads all documents and returns the first one, `None` if there is none.
    pub(super) fn read(text: &str) -> Result<(Self, Option<Id>), Failure> {
        let mut composer = Composer {
            scanner: Scanner::new(text)?,
            graph: Self { nodes: Vec::new() },
            anchors: HashMap::new(),
            handles: HashMap::new(),
            tag_bytes: 0,
            depth: 0,
        };
        let first = composer.documents()?;
        Ok((composer.graph, first))
    }

    pub(super) fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Every id was given out by [`Self::add`].
    pub(super) fn node(&self, id: Id) -> Result<&Node, Failure> {
        self.nodes.get(id).ok_or(Failure::Undefined)
    }
}

struct Composer {
    scanner: Scanner,
    graph: Graph,
    /// Kept from one document to the next, as in Go.
    anchors: HashMap<String, Id>,
    /// Tag handles and their prefixes.
    handles: HashMap<String, String>,
    tag_bytes: usize,
    depth: usize,
}

/// What stands in front of a node.
#[derive(Default)]
struct Properties {
    anchor: Option<String>,
    /// The full tag; never empty.
    tag: Option<String>,
}

impl Composer {
    fn documents(&mut self) -> Result<Option<Id>, Failure> {
        let mut first = None;
        let mut is_first = true;
        loop {
            while !is_first && self.eat(&Token::DocumentEnd)? {}
            let root = match self.scanner.peek()? {
                Token::StreamEnd => return Ok(first),
                Token::Version { .. } | Token::TagDirective { .. } | Token::DocumentStart => {
                    self.directives()?;
                    if !self.eat(&Token::DocumentStart)? {
                        return malformed();
                    }
                    self.explicit_document()?
                }
                _ if is_first => {
                    self.directives()?;
                    self.node(true, false)?
                }
                _ => return malformed(),
            };
            self.eat(&Token::DocumentEnd)?;
            self.handles.clear();
            first = first.or(Some(root));
            is_first = false;
        }
    }

    fn explicit_document(&mut self) -> Result<Id, Failure> {
        match self.scanner.peek()? {
            Token::Version { .. }
            | Token::TagDirective { .. }
            | Token::DocumentStart
            | Token::DocumentEnd
            | Token::StreamEnd => Ok(self.empty()),
            _ => self.node(true, false),
        }
    }

    fn directives(&mut self) -> Result<(), Failure> {
        let mut has_version = false;
        while let Token::Version { .. } | Token::TagDirective { .. } = self.scanner.peek()? {
            match self.scanner.take()? {
                Token::Version { major: 1, minor: 1 } if !has_version => has_version = true,
                Token::TagDirective { handle, prefix } if !self.handles.contains_key(&handle) => {
                    self.handles.insert(handle, prefix);
                }
                _ => return malformed(),
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            let known = self.handles.entry(handle.to_owned());
            known.or_insert_with(|| prefix.to_owned());
        }
        Ok(())
    }

    fn eat(&mut self, token: &Token) -> Result<bool, Failure> {
        let found = self.scanner.peek()? == token;
        if found {
            self.scanner.take()?;
        }
        Ok(found)
    }

    fn sees(&mut self, tokens: &[Token]) -> Result<bool, Failure> {
        let token = self.scanner.peek()?;
        Ok(tokens.contains(token))
    }

    fn empty(&mut self) -> Id {
        self.graph.add(Node {
            tag: Tag::Null,
            tagged: false,
            kind: Kind::Scalar(String::new()),
        })
    }

    /// A node, or an empty one if one of these tokens follows.
    fn node_unless(&mut self, tokens: &[Token], block: bool, indentless: bool) -> Result<Id, Failure> {
        if self.sees(tokens)? {
            Ok(self.empty())
        } else {
            self.node(block, indentless)
        }
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<Id, Failure> {
        if self.depth > MAX_DEPTH {
            return Err(Failure::Limit(format!(
                "a YAML text is nested more than {MAX_DEPTH} deep"
            )));
        }
        if let Token::Alias(name) = self.scanner.peek()? {
            let name = name.clone();
            let target = *self.anchors.get(&name).ok_or(Failure::Undefined)?;
            self.scanner.take()?;
            return Ok(self.graph.add(Node {
                tag: Tag::Other,
                tagged: false,
                kind: Kind::Alias(name, target),
            }));
        }
        let properties = self.properties()?;
        self.depth += 1;
        let id = self.content(&properties, block, indentless)?;
        self.depth -= 1;
        Ok(id)
    }

    /// An anchor and a tag, one of them or none, in any order.
    fn properties(&mut self) -> Result<Properties, Failure> {
        let mut properties = Properties::default();
        for _ in 0..2 {
            match self.scanner.peek()? {
                Token::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name.clone());
                }
                Token::Tag { handle, suffix } if properties.tag.is_none() => {
                    let prefix = if handle.is_empty() {
                        ""
                    } else {
                        self.handles.get(handle).ok_or(Failure::Undefined)?.as_str()
                    };
                    self.tag_bytes += prefix.len() + suffix.len();
                    if self.tag_bytes > MAX_TAG_BYTES {
                        return Err(Failure::Limit(format!(
                            "the tags of a YAML text take more than {MAX_TAG_BYTES} bytes"
                        )));
                    }
                    let tag = format!("{prefix}{suffix}");
                    if tag.is_empty() {
                        return malformed();
                    }
                    properties.tag = Some(tag);
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        Ok(properties)
    }

    fn content(&mut self, properties: &Properties, block: bool, indentless: bool) -> Result<Id, Failure> {
        match self.scanner.peek()? {
            Token::BlockEntry if indentless => {
                let id = self.collection(properties, Kind::Sequence(Vec::new()));
                let items = self.indentless_sequence()?;
                self.fill(id, Kind::Sequence(items))
            }
            Token::Scalar { .. } => {
                let Token::Scalar { text, plain } = self.scanner.take()? else {
                    return malformed();
                };
                self.scalar(properties, text, plain)
            }
            Token::FlowSequenceStart => {
                self.scanner.take()?;
                let id = self.collection(properties, Kind::Sequence(Vec::new()));
                let items = self.flow_sequence()?;
                self.fill(id, Kind::Sequence(items))
            }
            Token::FlowMappingStart => {
                self.scanner.take()?;
                let id = self.collection(properties, Kind::Mapping(Vec::new()));
                let fields = self.flow_mapping()?;
                self.fill(id, Kind::Mapping(fields))
            }
            Token::BlockSequenceStart if block => {
                self.scanner.take()?;
                let id = self.collection(properties, Kind::Sequence(Vec::new()));
                let items = self.block_sequence()?;
                self.fill(id, Kind::Sequence(items))
            }
            Token::BlockMappingStart if block => {
                self.scanner.take()?;
                let id = self.collection(properties, Kind::Mapping(Vec::new()));
                let fields = self.block_mapping()?;
                self.fill(id, Kind::Mapping(fields))
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                self.scalar(properties, String::new(), true)
            }
            _ => malformed(),
        }
    }

    fn scalar(&mut self, properties: &Properties, text: String, plain: bool) -> Result<Id, Failure> {
        let named = properties.tag.as_deref().filter(|tag| *tag != "!");
        let tag = match named {
            Some(tag) => Tag::named(tag),
            None if !plain => Tag::Text,
            None if text == "<<" => Tag::Merge,
            None => resolve(None, &text)?.0,
        };
        let id = self.graph.add(Node {
            tag,
            tagged: named.is_some(),
            kind: Kind::Scalar(text),
        });
        self.anchor(properties, id);
        Ok(id)
    }

    /// Registered before it is complete: it may contain itself, which is found out later. The tag of a
    /// collection changes nothing about it.
    fn collection(&mut self, properties: &Properties, kind: Kind) -> Id {
        let id = self.graph.add(Node {
            tag: Tag::Other,
            tagged: false,
            kind,
        });
        self.anchor(properties, id);
        id
    }

    fn anchor(&mut self, properties: &Properties, id: Id) {
        if let Some(name) = &properties.anchor {
            self.anchors.insert(name.clone(), id);
        }
    }

    fn fill(&mut self, id: Id, kind: Kind) -> Result<Id, Failure> {
        self.graph.nodes.get_mut(id).ok_or(Failure::Undefined)?.kind = kind;
        Ok(id)
    }

    fn block_sequence(&mut self) -> Result<Vec<Id>, Failure> {
        let mut items = Vec::new();
        while self.eat(&Token::BlockEntry)? {
            items.push(self.node_unless(&[Token::BlockEntry, Token::BlockEnd], true, false)?);
        }
        if !self.eat(&Token::BlockEnd)? {
            return malformed();
        }
        Ok(items)
    }

    /// Items at the column of the mapping's keys.
    fn indentless_sequence(&mut self) -> Result<Vec<Id>, Failure> {
        let mut items = Vec::new();
        while self.eat(&Token::BlockEntry)? {
            let ends = [Token::BlockEntry, Token::Key, Token::Value, Token::BlockEnd];
            items.push(self.node_unless(&ends, true, false)?);
        }
        Ok(items)
    }

    fn block_mapping(&mut self) -> Result<Vec<(Id, Id)>, Failure> {
        const ENDS: [Token; 3] = [Token::Key, Token::Value, Token::BlockEnd];
        let mut fields = Vec::new();
        while self.eat(&Token::Key)? {
            let key = self.node_unless(&ENDS, true, true)?;
            let value = if self.eat(&Token::Value)? {
                self.node_unless(&ENDS, true, true)?
            } else {
                self.empty()
            };
            fields.push((key, value));
        }
        if !self.eat(&Token::BlockEnd)? {
            return malformed();
        }
        Ok(fields)
    }

    fn flow_sequence(&mut self) -> Result<Vec<Id>, Failure> {
        let mut items = Vec::new();
        loop {
            if self.eat(&Token::FlowSequenceEnd)? {
                return Ok(items);
            }
            if !items.is_empty() && !self.eat(&Token::FlowEntry)? {
                return malformed();
            }
            if self.eat(&Token::Key)? {
                let pair = self.flow_pair()?;
                items.push(self.graph.add(Node {
                    tag: Tag::Other,
                    tagged: false,
                    kind: Kind::Mapping(vec![pair]),
                }));
            } else if !self.sees(&[Token::FlowSequenceEnd])? {
                items.push(self.node(false, false)?);
            }
        }
    }

    /// `[a: b]`: a mapping of one key. An empty key swallows the token behind it, as in Go.
    fn flow_pair(&mut self) -> Result<(Id, Id), Failure> {
        const ENDS: [Token; 2] = [Token::FlowEntry, Token::FlowSequenceEnd];
        let key = if self.sees(&[Token::Value, Token::FlowEntry, Token::FlowSequenceEnd])? {
            self.scanner.take()?;
            self.empty()
        } else {
            self.node(false, false)?
        };
        let value = if self.eat(&Token::Value)? {
            self.node_unless(&ENDS, false, false)?
        } else {
            self.empty()
        };
        Ok((key, value))
    }

    fn flow_mapping(&mut self) -> Result<Vec<(Id, Id)>, Failure> {
        const ENDS: [Token; 2] = [Token::FlowEntry, Token::FlowMappingEnd];
        let mut fields = Vec::new();
        loop {
            if self.eat(&Token::FlowMappingEnd)? {
                return Ok(fields);
            }
            if !fields.is_empty() && !self.eat(&Token::FlowEntry)? {
                return malformed();
            }
            if self.eat(&Token::Key)? {
                let ends = [Token::Value, Token::FlowEntry, Token::FlowMappingEnd];
                let key = self.node_unless(&ends, false, false)?;
                let value = if self.eat(&Token::Value)? {
                    self.node_unless(&ENDS, false, false)?
                } else {
                    self.empty()
                };
                fields.push((key, value));
            } else if !self.sees(&[Token::FlowMappingEnd])? {
                let key = self.node(false, false)?;
                let value = self.empty();
                fields.push((key, value));
            }
        }
    }
}
