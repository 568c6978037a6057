/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that somebody else made and sent (SCM_RIGHTS, unix(7)). To let go of one may take as
 * long as its maker likes: a socket with SO_LINGER waits for a peer that never reads (socket(7)), and
 * may lie in the queue of another socket; a file of a FUSE file system waits for a daemon that never
 * answers (FUSE_FLUSH); any file for an epoll(7) that polls such a one. It does not help not to ask
 * for them: what recvmsg(2) has no room for the kernel drops before the call returns.
 *
 * So PID 1 never has one. A child takes the whole datagram out of the queue, with what it carries, says
 * so, and ends. It is the last owner, not PID 1; and the sockets of a process that ends do not linger
 * (inet_release() of net/ipv4/af_inet.c asks for PF_EXITING). A child that hangs all the same stays
 * behind. While FOREIGN_HUNG_MAX of them do, nothing more is taken.
 */
#ifndef KEELSON_FOREIGN_H
#define KEELSON_FOREIGN_H

#define FOREIGN_HUNG_MAX 16u
#define FOREIGN_WAIT_NS 20000000ull   /* for a child to say so: it has one system call to make */
#define FOREIGN_LOST_NS 2000000000ull /* then a child that said nothing is killed */

/*
 * Have the first datagram of `socket` taken. 0: it is gone; -EINPROGRESS: ask foreign_taken() until it
 * says otherwise; another negative errno: it is still there. -EBUSY: too many children hang.
 */
int foreign_take(int socket);

/* 0: it is gone. -EINPROGRESS. -ECHILD: the child was killed, and what is first in the queue nobody
 * knows. */
int foreign_taken(void);

/* The child `pid` of PID 1 ended: it hangs no more if it was one of these. */
void foreign_ended(int pid);

#endif
