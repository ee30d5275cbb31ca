//! What the tests of the cluster run: programs that do not do what a program of a job does.

use flott::prelude::*;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mode = flott::program_arguments()?.get(1).cloned().unwrap_or_default();
    let env = StreamExecutionEnvironment::get()?;
    let numbers = || env.from_data(vec![1u64, 2, 3]);
    match mode.as_str() {
        "crash" => panic!("this program crashes before it has a job"),
        "exit" => std::process::exit(7),
        "never" => println!("this program has no job"),
        "twice" => {
            numbers().map(|number| number).name("first").print();
            env.execute("first")?;
            println!("behind the first job");
            numbers().map(|number| number).name("second").print();
            env.execute("second")?;
            println!("behind the second job");
        }
        "another-each-time" => {
            numbers().map(|number| number).name(format!("built in process {}", std::process::id())).print();
            env.execute("another-each-time")?;
        }
        "chatty" => {
            for number in 0..60_000u64 {
                println!("line {number} of what nobody wants to read, and that is longer than it has to be");
                eprintln!("line {number} of what nobody wants to read, and that is longer than it has to be");
            }
            numbers().print();
            env.execute("chatty")?;
        }
        "leaves-a-child" => {
            // It has this program's output, and lives on.
            let child = std::process::Command::new("sleep").arg("1000").spawn()?;
            if let Some(file) = flott::program_arguments()?.get(2) {
                std::fs::write(file, child.id().to_string())?;
            }
            numbers().print();
            env.execute("leaves-a-child")?;
        }
        _ => {
            numbers().print();
            env.execute("plain")?;
        }
    }
    Ok(())
}
