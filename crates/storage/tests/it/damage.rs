//! Bytes that change behind the storage's back.

use crate::support::{JOB, Place, Random, complete_and_sound, read_all, take};
use flott_storage::{CheckpointStorage, StorageError, files::MemoryFiles};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The whole way of a recovery: register, metadata, every block.
fn restore(place: &Place) -> Result<(), StorageError> {
    let storage = place.storage();
    let completed = storage.completed()?;
    assert_eq!(completed.len(), 2);
    for completed in &completed {
        read_all(&storage, &storage.load_completed(completed)?)?;
    }
    Ok(())
}

/// Changes `bytes` in a random way; says how.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let before = bytes.clone();
    loop {
        let at = random.below(bytes.len());
        let what = match random.below(10) {
            0 => {
                bytes.truncate(at);
                format!("cut to {at}")
            }
            1 => {
                let end = at + random.below(bytes.len() - at) + 1;
                bytes[at..end].fill(0);
                format!("zeros in {at}..{end}")
            }
            2 => {
                bytes.insert(at, random.below(256) as u8);
                format!("one more at {at}")
            }
            3 => {
                let to = random.below(bytes.len());
                bytes.swap(at, to);
                format!("swapped {at} and {to}")
            }
            4 => {
                bytes.remove(at);
                format!("one less at {at}")
            }
            _ => {
                let bit = random.below(8);
                bytes[at] ^= 1 << bit;
                format!("bit {bit} of {at}")
            }
        };
        if *bytes != before {
            return what;
        }
        *bytes = before.clone();
    }
}

fn prepared(place: &Place) {
    let storage = place.storage();
    storage.begin_term(1).unwrap();
    take(&storage, 1, 1).unwrap();
    take(&storage, 1, 2).unwrap();
    restore(place).unwrap();
}

/// Checks that the damage to `path` was found, and that the message says where.
fn assert_found(place: &Place, path: &Path, what: &str) {
    match restore(place) {
        Ok(()) => panic!("{}: {what} was not found", path.display()),
        Err(error) => {
            assert!(error.is_damage(), "{}: {what}: {error}", path.display());
            assert!(error.to_string().contains(&path.display().to_string()), "{}: {what}: {error}", path.display());
        }
    }
}

#[test]
fn every_mutation_of_a_file_in_memory_is_found() {
    let files = MemoryFiles::new();
    let place = Place::memory(&files);
    prepared(&place);
    let paths = files.all_files();
    assert_eq!(paths.len(), 7, "{paths:?}");
    for seed in 1..=10_000 {
        let mut random = Random(seed);
        let path = Path::new("/").join(&paths[random.below(paths.len())]);
        let (mut original, mut what) = (Vec::new(), String::new());
        assert!(files.tamper(&path, |bytes| {
            original = bytes.clone();
            what = mutate(bytes, &mut random);
        }));
        assert_found(&place, &path, &what);
        files.tamper(&path, |bytes| *bytes = original);
    }
    restore(&place).unwrap();
}

#[test]
fn every_mutation_of_a_file_on_disk_is_found() {
    let place = Place::disk();
    prepared(&place);
    let names = ["chk-1/_metadata", "chk-1/v0-0-op", "chk-1/v0-1-op", "chk-2/_metadata", "chk-2/v0-0-op"];
    let paths: Vec<PathBuf> = names.iter().map(|name| place.at(name)).chain([place.register()]).map(PathBuf::from).collect();
    for seed in 1..=1000 {
        let mut random = Random(seed);
        let path = &paths[random.below(paths.len())];
        let original = fs::read(path).unwrap();
        let mut bytes = original.clone();
        let what = mutate(&mut bytes, &mut random);
        fs::write(path, bytes).unwrap();
        assert_found(&place, path, &what);
        fs::write(path, original).unwrap();
    }
}

#[test]
fn every_single_bit_counts() {
    let files = MemoryFiles::new();
    let place = Place::memory(&files);
    prepared(&place);
    for path in [place.register(), place.at("chk-2/_metadata"), place.at("chk-2/v0-1-op")] {
        let path = PathBuf::from(path);
        let mut length = 0;
        files.tamper(&path, |bytes| length = bytes.len());
        for bit in 0..length * 8 {
            files.tamper(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            assert_found(&place, &path, &format!("bit {bit}"));
            files.tamper(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        }
    }
}

#[test]
fn files_that_changed_places_are_found() {
    let place = Place::disk();
    prepared(&place);
    for (one, other) in [("chk-1/v0-0-op", "chk-2/v0-0-op"), ("chk-1/_metadata", "chk-2/_metadata")] {
        let swap = || {
            let [one, other, between] = [one, other, "between"].map(|name| place.at(name));
            fs::rename(&one, &between).unwrap();
            fs::rename(&other, &one).unwrap();
            fs::rename(&between, &other).unwrap();
        };
        swap();
        assert!(restore(&place).unwrap_err().is_damage(), "{one} and {other}");
        swap();
    }
    // A whole checkpoint in the place of another is sound in itself, but not the one that was completed.
    fs::rename(place.at("chk-2"), place.at("chk-x")).unwrap();
    fs::rename(place.at("chk-1"), place.at("chk-2")).unwrap();
    let storage = place.storage();
    let newest = storage.completed().unwrap().remove(0);
    read_all(&storage, &storage.load(&newest.folder).unwrap()).unwrap();
    let error = storage.load_completed(&newest).unwrap_err();
    assert!(error.to_string().contains("not that of checkpoint 2") && error.is_damage(), "{error}");
}

#[test]
fn files_that_are_gone_are_found() {
    for name in ["chk-2/_metadata", "chk-2/v0-0-op", "chk-2"] {
        let place = Place::disk();
        prepared(&place);
        let path = place.at(name);
        if name == "chk-2" {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        let error = restore(&place).unwrap_err();
        assert!(matches!(error, StorageError::Missing { .. }) && error.to_string().contains(&path), "{error}");
    }
}

#[test]
fn the_one_before_is_there_when_the_newest_is_damaged() {
    let files = MemoryFiles::new();
    let place = Place::memory(&files);
    prepared(&place);
    files.tamper(place.at("chk-2/_metadata").as_ref(), |bytes| bytes.truncate(100));
    let storage = place.directory.storage(JOB);
    let sound: Vec<u64> = storage
        .completed()
        .unwrap()
        .iter()
        .filter_map(|completed| match storage.load_completed(completed) {
            Ok(loaded) => Some(loaded.metadata.checkpoint.0),
            Err(error) => {
                assert!(error.is_damage());
                None
            }
        })
        .collect();
    assert_eq!(sound, [1]);
    files.tamper(place.at("chk-2/_metadata").as_ref(), |bytes| bytes.clear());
    assert!(storage.load(&place.at("chk-2")).unwrap_err().to_string().contains("cut off after 0 bytes"));
}

#[test]
fn a_damaged_checkpoint_does_not_stop_the_next() {
    let files = MemoryFiles::new();
    let place = Place::memory(&files);
    prepared(&place);
    files.tamper(place.at("chk-2/_metadata").as_ref(), |bytes| bytes.truncate(100));
    let storage = place.storage();
    take(&storage, 1, 3).unwrap();
    assert!(storage.retain(1, 1).unwrap().failed.is_empty());
    assert_eq!(complete_and_sound(&storage), [3]);
}
