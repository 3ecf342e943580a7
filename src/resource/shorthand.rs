//! The words that `haresources` knows for OCF agents, such as `Filesystem::/dev/sdb1::/srv`: which agent, and which
//! of its parameters each argument is. A line in [`ALL`] is all that a further one needs.
//!
//! Heartbeat 3.0.6 had a script for each of them in `resource.d`, which set the parameters and called the agent.

use Takes::{All, Each, Either, Halves, Nothing};

/// An agent that is called with arguments in a fixed order.
#[derive(Debug)]
pub struct Shorthand {
    /// The word, which is also the name of the agent.
    pub name: &'static str,
    /// What its arguments are.
    pub takes: Takes,
    /// Parameters that have these values where no argument gives another one.
    pub defaults: &'static [(&'static str, &'static str)],
    /// How it is written, for the one who wrote it otherwise.
    pub usage: &'static str,
}

/// Which parameters of the agent the arguments are.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// There are none.
    Nothing,
    /// The first argument is the first of these parameters, and so on; at least so many there must be.
    Each(&'static [&'static str], usize),
    /// All arguments, with blanks between them, are this parameter.
    All(&'static str),
    /// The one argument has two halves parted by `/`.
    Halves(&'static str, &'static str),
    /// The one argument is the first of these if it is a number, otherwise the second; it may be missing.
    Either(&'static str, &'static str),
}

/// Every shorthand. `IPaddr`, `IPaddr2` and `IPv6addr` are not among them: they are built in.
pub static ALL: &[Shorthand] = &[
    new("AudibleAlarm", All("nodelist"), "AudibleAlarm[::NODE...]"),
    new(
        "Delay",
        Each(&["startdelay", "stopdelay"], 0),
        "Delay[::SECONDS_TO_START[::SECONDS_TO_STOP]]",
    )
    // Otherwise the agent takes half a minute to answer, which is all the time that it advises.
    .defaults(&[("mondelay", "0")]),
    new("EvmsSCC", Nothing, "EvmsSCC"),
    new(
        "Filesystem",
        Each(&["device", "directory", "fstype", "options"], 2),
        "Filesystem::DEVICE::DIRECTORY[::TYPE[::OPTIONS]]",
    ),
    new(
        "ICP",
        Each(&["driveid", "device"], 2),
        "ICP::DRIVE_ID::DEVICE",
    ),
    new("IPsrcaddr", Each(&["ipaddress"], 1), "IPsrcaddr::ADDRESS"),
    new("LVM", Each(&["volgrpname"], 1), "LVM::VOLUME_GROUP"),
    new(
        "LinuxSCSI",
        Each(&["scsi"], 1),
        "LinuxSCSI::HOST:CHANNEL:TARGET[:LUN]",
    ),
    new(
        "MailTo",
        Each(&["email", "subject"], 1),
        "MailTo::ADDRESS[::SUBJECT]",
    ),
    new(
        "Raid1",
        Each(&["raidconf", "raiddev"], 2),
        "Raid1::CONFIGURATION::DEVICE",
    ),
    new("SendArp", Halves("ip", "nic"), "SendArp::ADDRESS/INTERFACE"),
    new(
        "ServeRAID",
        Each(&["serveraid", "mergegroup"], 2),
        "ServeRAID::ADAPTER::MERGE_GROUP",
    ),
    new(
        "WAS",
        Either("port", "config"),
        "WAS[::PORT|::CONFIGURATION]",
    ),
    new("WinPopup", Each(&["hostfile"], 0), "WinPopup[::HOST_FILE]")
        .defaults(&[("hostfile", "hosts")]),
    new("Xinetd", Each(&["service"], 1), "Xinetd::SERVICE"),
    new(
        "apache",
        Each(&["configfile"], 0),
        "apache[::CONFIGURATION]",
    ),
    new("db2", Each(&["instance"], 1), "db2::INSTANCE"),
    new(
        "ids",
        Each(&["informixdir", "informixserver", "onconfig"], 0),
        "ids[::DIRECTORY::SERVER::ONCONFIG]",
    ),
    new(
        "ldirectord",
        Each(&["configfile"], 0),
        "ldirectord[::CONFIGURATION]",
    ),
    new(
        "portblock",
        Each(&["protocol", "portno", "action"], 3),
        "portblock::tcp|udp::PORT,...::block|unblock",
    ),
];

const fn new(name: &'static str, takes: Takes, usage: &'static str) -> Shorthand {
    Shorthand {
        name,
        takes,
        defaults: &[],
        usage,
    }
}

/// The shorthand of this exact name.
pub fn find(name: &str) -> Option<&'static Shorthand> {
    ALL.iter().find(|shorthand| shorthand.name == name)
}

impl Shorthand {
    const fn defaults(mut self, defaults: &'static [(&'static str, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    /// The parameters that these arguments mean; `None` when there are too few or too many.
    pub fn parameters(&self, arguments: &[String]) -> Option<Vec<(String, String)>> {
        let pairs: Vec<(&str, String)> = match self.takes {
            Nothing if arguments.is_empty() => Vec::new(),
            Each(names, fewest) if (fewest..=names.len()).contains(&arguments.len()) => {
                let values = arguments.iter().cloned();
                names.iter().copied().zip(values).collect()
            }
            All(name) => vec![(name, arguments.join(" "))],
            Halves(first, second) => {
                let [argument] = arguments else { return None };
                let (one, other) = argument.split_once('/')?;
                vec![(first, one.to_owned()), (second, other.to_owned())]
            }
            Either(number, other) => match arguments {
                [] => Vec::new(),
                [text] if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    vec![(number, text.clone())]
                }
                [text] => vec![(other, text.clone())],
                _ => return None,
            },
            _ => return None,
        };
        let is_given = |name: &str| pairs.iter().any(|(given, _)| *given == name);
        let defaults = self
            .defaults
            .iter()
            .filter(|(name, _)| !is_given(name))
            .map(|(name, value)| (*name, (*value).to_owned()));
        let all: Vec<_> = defaults.collect();
        let all = pairs.into_iter().chain(all);
        Some(all.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(word: &str) -> Option<String> {
        let mut pieces = word.split("::");
        let found = find(pieces.next()?)?;
        let arguments: Vec<String> = pieces.map(str::to_owned).collect();
        let pairs = found.parameters(&arguments)?;
        let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        Some(pairs.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_argument_is_the_parameter_that_the_script_of_3_0_6_made_of_it() {
        for (word, expected) in [
            ("AudibleAlarm", "nodelist="),
            ("AudibleAlarm::vm3::vm4", "nodelist=vm3 vm4"),
            ("Delay", "mondelay=0"),
            ("Delay::5", "startdelay=5 mondelay=0"),
            ("Delay::5::7", "startdelay=5 stopdelay=7 mondelay=0"),
            ("EvmsSCC", ""),
            (
                "Filesystem::/dev/sdb1::/srv",
                "device=/dev/sdb1 directory=/srv",
            ),
            (
                "Filesystem::UUID=1-2::/srv::ext4::noatime,ro",
                "device=UUID=1-2 directory=/srv fstype=ext4 options=noatime,ro",
            ),
            ("ICP::1::/dev/sda", "driveid=1 device=/dev/sda"),
            ("IPsrcaddr::10.0.0.9", "ipaddress=10.0.0.9"),
            ("LVM::vg0", "volgrpname=vg0"),
            ("LinuxSCSI::0:0:1", "scsi=0:0:1"),
            ("MailTo::root", "email=root"),
            ("MailTo::root::Moved", "email=root subject=Moved"),
            (
                "Raid1::/etc/raidtab::/dev/md0",
                "raidconf=/etc/raidtab raiddev=/dev/md0",
            ),
            ("SendArp::10.0.0.9/eth0", "ip=10.0.0.9 nic=eth0"),
            ("ServeRAID::1::2", "serveraid=1 mergegroup=2"),
            ("WAS", ""),
            ("WAS::9080", "port=9080"),
            ("WAS::/opt/was.cfg", "config=/opt/was.cfg"),
            ("WinPopup", "hostfile=hosts"),
            ("WinPopup::/etc/hosts.pop", "hostfile=/etc/hosts.pop"),
            ("Xinetd::ftp", "service=ftp"),
            ("apache", ""),
            ("apache::/etc/a.conf", "configfile=/etc/a.conf"),
            ("db2::db2inst1", "instance=db2inst1"),
            ("ids", ""),
            (
                "ids::/opt/ids::one::on",
                "informixdir=/opt/ids informixserver=one onconfig=on",
            ),
            ("ldirectord::ha.cf", "configfile=ha.cf"),
            (
                "portblock::tcp::80,443::block",
                "protocol=tcp portno=80,443 action=block",
            ),
        ] {
            assert_eq!(parameters(word).as_deref(), Some(expected), "{word}");
        }
    }

    #[test]
    fn too_few_and_too_many_arguments_are_refused() {
        for word in [
            "Delay::1::2::3",
            "EvmsSCC::x",
            "Filesystem",
            "Filesystem::/dev/sdb1",
            "Filesystem::a::b::c::d::e",
            "LVM",
            "LVM::a::b",
            "MailTo",
            "SendArp::10.0.0.9",
            "SendArp::10.0.0.9/eth0::x",
            "WAS::1::2",
            "portblock::tcp::80",
        ] {
            assert_eq!(parameters(word), None, "{word}");
        }
    }

    #[test]
    fn every_shorthand_is_declared_once_in_order_and_shows_its_name() {
        for pair in ALL.windows(2) {
            if let [one, next] = pair {
                assert!(one.name < next.name, "{} before {}", one.name, next.name);
            }
        }
        for shorthand in ALL {
            assert!(
                shorthand.usage.starts_with(shorthand.name),
                "{}",
                shorthand.name
            );
        }
    }
}
